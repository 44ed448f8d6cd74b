'use strict'

// A cluster whose nodes announce addresses that cannot be reached, as in Docker or Kubernetes.

const { once } = require('node:events')
const { Worker } = require('node:worker_threads')
const { AerospikeStore } = require('../..')
const { cleanups, open, start } = require('../support/opened')
const { startRewritingServer } = require('../support/proxied-server')
const { freshSet } = require('../support/server')

/** An address without a listener. */
const REFUSED = ['127.0.0.2:1', '127.0.0.3:1']

const failure = work => work.then(() => undefined, error => error)

/**
 * Opens a store that can reach one node of three. It announces the others at `addresses`, or as `state` says.
 */
async function cluster (addresses, options = {}) {
  const state = { addresses }
  const proxy = await startRewritingServer((command, value) => {
    if (!command.startsWith('peers-') || state.addresses === undefined) return value
    const hosts = proxy.server.hosts.split(',').slice(1)
    return hosts.reduce((text, host, n) => text.replaceAll(host, state.addresses[n]), value)
  }, { nodes: 3 })
  cleanups.push(() => proxy.stop())
  const store = open(proxy, { set: freshSet(), timeout: 1_500, user: 'userId', ...options }, AerospikeStore)
  const warnings = []
  store.on('warning', warning => warnings.push(warning))
  return Object.assign(state, { proxy, store, warnings })
}

const session = () => ({ cookie: { originalMaxAge: 60_000 }, userId: 'ada' })

/** Returns the errors of reads and writes of sixty sessions. About two thirds are on unreachable nodes. */
async function errorsOf (store) {
  const ids = Array.from({ length: 60 }, (_, n) => `s${n}`)
  const works = ids.map((id, n) => n % 2 === 0 ? store.get(id) : store.set(id, session()))
  return (await Promise.all(works.map(failure))).filter(error => error !== undefined)
}

test('operations fail with the node, its address and the option, and one warning is emitted', async () => {
  const { store, warnings } = await cluster(REFUSED)
  const warned = once(store, 'warning')
  await store.ready()
  const errors = await errorsOf(store)
  expect(errors.length).toBeGreaterThan(5)
  const works = [store.length(), store.all(), store.countOf('ada'), store.destroyOf('ada'), store.clear()]
  errors.push(...await Promise.all(works.map(failure)))
  for (const { code, retryable, message } of errors) {
    expect({ code, retryable }).toEqual({ code: 'UNAVAILABLE', retryable: true })
    expect(message).toMatch(/node [0-9A-F]+ announces 127\.0\.0\.[23]:1, which could not be connected to: .*'access-address'.*option 'servicesAlternate'/)
    for (const address of REFUSED) expect(message).toContain(address)
  }
  await warned
  await errorsOf(store)
  expect(warnings).toEqual([{ code: 'NODES_UNREACHABLE', message: expect.stringMatching(/127\.0\.0\.3:1.*servicesAlternate/) }])
})

test('operations work as soon as the addresses can be reached', async () => {
  const state = await cluster(REFUSED)
  await errorsOf(state.store)
  state.addresses = undefined
  const ends = performance.now() + 20_000
  let errors
  do errors = await errorsOf(state.store); while (errors.length > 0 && performance.now() < ends)
  expect(errors).toEqual([])
  expect(state.store.stats().nodes).toHaveLength(3)
})

// Other systems refuse connections if the queue is full.
const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('ready() and operations fail with them where connections are neither taken nor refused', async () => {
  const holes = await Promise.all([hole(), hole()])
  const { store, warnings } = await cluster(holes, { connectTimeout: 3_000 })
  const errors = await Promise.all([store.ready(), store.ready().catch(() => store.get('a'))].map(failure))
  for (const { code, message } of errors) {
    expect(code).toBe('UNAVAILABLE')
    for (const address of holes) expect(message).toContain(`announces ${address}, which did not take the connection within 1000 ms`)
    expect(message).toContain("option 'servicesAlternate'")
  }
  if (warnings.length === 0) await once(store, 'warning')
  expect(warnings[0].code).toBe('NODES_UNREACHABLE')
}, 20_000)

/** Opens a port whose connections are never accepted: its queue is full, so the system drops new ones. */
async function hole () {
  const worker = new Worker(`
    const { parentPort } = require('node:worker_threads')
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port)
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
    })`, { eval: true })
  const [port] = await once(worker, 'message')
  const net = require('node:net')
  const sockets = Array.from({ length: 8 }, () => net.connect(port, '127.0.0.1').on('error', () => {}))
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    return worker.terminate()
  })
  await new Promise(resolve => setTimeout(resolve, 100))
  return `127.0.0.1:${port}`
}

test('reports an address that leads to another node', async () => {
  const state = await cluster(REFUSED)
  state.addresses = [state.proxy.hosts, state.proxy.hosts]
  const errors = await errorsOf(state.store)
  expect(errors.length).toBeGreaterThan(5)
  for (const { message } of errors) expect(message).toMatch(/announces 127\.0\.0\.1:\d+, which leads to another node \(\w+\)/)
})

test('reports servicesAlternate if the nodes announce no alternate address', async () => {
  const server = await start({ nodes: 3 })
  const store = open({ hosts: server.hosts.split(',')[0] }, { set: freshSet(), timeout: 1_500, servicesAlternate: true }, AerospikeStore)
  const warned = once(store, 'warning')
  const errors = await errorsOf(store)
  expect(errors.length).toBeGreaterThan(5)
  for (const { code, message } of errors) {
    expect(code).toBe('UNAVAILABLE')
    expect(message).toMatch(/announces no alternate address.*option 'servicesAlternate' is on.*leave the option out/)
  }
  expect((await warned)[0].code).toBe('NODES_UNREACHABLE')
})

test('does not blame the address if a node fails later', async () => {
  const server = await start({ nodes: 3, replicationFactor: 1 })
  const store = open(server, { set: freshSet(), timeout: 1_500 }, AerospikeStore)
  const warnings = []
  store.on('warning', warning => warnings.push(warning))
  await store.ready()
  expect(await errorsOf(store)).toEqual([])
  await new Promise(resolve => setTimeout(resolve, 1_000))
  await server.inject({ kind: 'freeze', node: 2 })
  for (let round = 0; round < 2; round++) {
    for (const { message } of await errorsOf(store)) expect(message).not.toContain('announces')
  }
  expect(warnings).toEqual([])
}, 20_000)
