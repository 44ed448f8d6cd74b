'use strict'

// Counts the threads that take part in an operation. Waking a thread costs about as much as everything else in an operation.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { DevServer } = require('../../exports/dev-server')
const { freshSet, hosts } = require('../support/server')

/** The number of operations in a run. */
const OPERATIONS = 10_000
/** The most wake-ups of the cluster thread by itself, with a margin for one start. */
const A_SECOND = 40
const AT_THE_START = 200

/**
 * Runs in a process: operations, one after the other. Prints how often the cluster thread fell asleep in the meantime, and how
 * long that took.
 *
 * @param {string} main
 * @param {any} options
 * @param {number} operations
 */
async function run (main, options, operations) {
  const fs = require('node:fs')
  const { SessionStore } = require(main)
  const sleeps = () => {
    for (const task of fs.readdirSync('/proc/self/task')) {
      const status = fs.readFileSync(`/proc/self/task/${task}/status`, 'utf8')
      if (/^Name:\s+aerospike-tend$/m.test(status)) return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)[1])
    }
  }
  const sessions = new SessionStore(options)
  await sessions.save('any', { n: 1 })
  if (process.send !== undefined) {
    process.send('ready')
    await new Promise(resolve => process.once('message', resolve))
    while (!await sessions.get('any').then(() => true, () => false));
    await new Promise(resolve => setTimeout(resolve, 3_000))
  }
  const [before, begun] = [sleeps(), performance.now()]
  for (let n = 0; n < operations / 2; n++) {
    await sessions.save('any', { n })
    await sessions.get('any')
  }
  console.log(JSON.stringify({ slept: sleeps() - before, seconds: (performance.now() - begun) / 1_000 }))
  await sessions.delete('any')
  await sessions.close()
  process.disconnect?.()
}

/**
 * @param {any} options
 * @param {() => Promise<void>} [meanwhile] happens once the store is connected, and before the operations
 */
async function switches (options, prepare) {
  const given = [require.resolve('../..'), options, OPERATIONS].map(one => JSON.stringify(one)).join()
  const stdio = ['ignore', 'pipe', 'inherit', ...prepare === undefined ? [] : ['ipc']]
  const child = spawn(process.execPath, ['-e', `(${run})(${given})`], { stdio })
  let out = ''
  child.stdout.on('data', data => { out += data })
  const closed = once(child, 'close')
  if (prepare !== undefined) {
    await once(child, 'message')
    await prepare()
    child.send('go on')
  }
  await closed
  const { slept, seconds } = JSON.parse(out)
  return slept - seconds * A_SECOND - AT_THE_START
}

const onLinux = process.platform === 'linux' ? describe : describe.skip
onLinux('the thread that looks after the cluster takes no part in operations', () => {
  test('of a store that has just been opened', async () => {
    // It depended on the connection that was in use when the first operation started.
    for (let n = 0; n < 3; n++) expect(await switches({ hosts: hosts(), set: freshSet() })).toBeLessThan(OPERATIONS / 20)
  }, 120_000)

  test('on nodes that came back', async () => {
    const server = await DevServer.start({ nodes: 2 })
    for (const node of [0, 1]) {
      const over = await switches({ hosts: server.hosts, set: 'any' }, async () => {
        await server.stopNode(node)
        await new Promise(resolve => setTimeout(resolve, 1_000))
        await server.startNode(node)
      })
      expect(over).toBeLessThan(OPERATIONS / 20)
    }
    await server.stop()
  }, 120_000)

  test('with TLS and a login', async () => {
    const server = await DevServer.start({ tls: true, security: { users: { app: 'secret' } } })
    const { hosts, tls } = server
    const over = await switches({ hosts, tls, user: 'app', password: 'secret', set: 'any' })
    expect(over).toBeLessThan(OPERATIONS / 20)
    await server.stop()
  }, 120_000)
})

/**
 * Runs in a process: operations on many small and some large sessions. Prints how much of the work each thread did, in
 * milliseconds.
 *
 * @param {string} main
 * @param {any} options
 * @param {string} work
 */
async function runLarge (main, options, work) {
  const fs = require('node:fs')
  const { AerospikeStore } = require(main)
  const clocks = () => {
    const found = {}
    for (const task of fs.readdirSync('/proc/self/task')) {
      const name = fs.readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
      const [run] = fs.readFileSync(`/proc/self/task/${task}/schedstat`, 'utf8').split(' ')
      found[name] = (found[name] ?? 0) + Number(run) / 1e6
    }
    return found
  }
  const store = new AerospikeStore(options)
  const cookie = { originalMaxAge: 60_000 }
  const large = { cookie, values: Array.from({ length: 5_000 }, (_, n) => ({ n, text: 'a text of some length' })) }
  const ids = Array.from({ length: 32 }, (_, n) => `large-${n}`)
  const works = {
    reads: () => Promise.all(ids.map(id => store.get(id))),
    // While so few are in flight, the JavaScript thread drives: it must not decode them.
    alone: async () => { for (const id of ids) await store.get(id) },
    list: () => store.all()
  }
  await Promise.all(Array.from({ length: 5_000 }, (_, n) => store.set(`small-${n}`, { cookie, n })))
  for (const id of ids) await store.set(id, large)
  const before = clocks()
  for (let n = 0; n < 4; n++) await works[work]()
  const after = clocks()
  console.log(JSON.stringify({ requests: after['aerospike-sessi'] - before['aerospike-sessi'], bulk: after['aerospike-bulk'] - before['aerospike-bulk'] }))
  await new Promise(resolve => store.clear(resolve))
  store.close()
}

onLinux('what is large is done by a thread of its own, and small requests need not wait for it', () => {
  test.each([['large sessions are read', 'reads'], ['large sessions are read one by one', 'alone'], ['all sessions are listed', 'list']])('%s', async (_, work) => {
    const given = [require.resolve('../..'), { hosts: hosts(), set: freshSet(), timeout: 30_000 }, work].map(one => JSON.stringify(one)).join()
    const child = spawn(process.execPath, ['-e', `(${runLarge})(${given})`], { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', data => { out += data })
    await once(child, 'close')
    const { requests, bulk } = JSON.parse(out)
    expect(bulk).toBeGreaterThan(20)
    expect(requests).toBeLessThan(bulk / 3)
  }, 120_000)
})
