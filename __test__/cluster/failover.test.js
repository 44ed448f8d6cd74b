'use strict'

// Nodes that die, freeze or move while sessions are used, and what visitors notice.

const { once } = require('node:events')
const net = require('node:net')
const { setTimeout: pass } = require('node:timers/promises')
const { AerospikeStore, SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')

const SESSIONS = 300
/** Milliseconds. As on a real cluster, the other nodes notice a lost node only after a while. */
const HEARTBEAT_TIMEOUT = 1_500
const TIMEOUT = 3_000
/** How much longer than `timeout` an operation may take, apart from delays of the test's own event loop. */
const SLACK = 50 + 200

const id = n => `visitor-${n}`

const open = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await (one.close?.() ?? one.stop())
})

async function cluster (options) {
  const server = await DevServer.start({ nodes: 3, heartbeatTimeout: HEARTBEAT_TIMEOUT, migrationTime: 100 })
  const sessions = new SessionStore({ hosts: server.hosts, timeout: TIMEOUT, ...options })
  open.push(server, sessions)
  await sessions.ready()
  await all(n => sessions.save(id(n), { visits: 0 }))
  return { server, sessions }
}

const all = use => Promise.all(Array.from({ length: SESSIONS }, (_, n) => use(n)))

/** Sends visits one after the other until stopped. Returns those that were acknowledged or failed, and the longest time. */
function visit (sessions, over) {
  const seen = { acknowledged: new Array(SESSIONS).fill(0), failures: [], longest: 0, reads: 0 }
  const timed = async (run, name) => {
    const begun = performance.now()
    try {
      return await run()
    } catch (error) {
      seen.failures.push(`${name} ${error.code}`)
    } finally {
      seen.longest = Math.max(seen.longest, performance.now() - begun)
    }
  }
  const visitor = async first => {
    for (let n = first; !over.aborted; n = (n + 16) % SESSIONS) {
      // Before the read, because another visitor may use the same session in the meantime.
      const known = seen.acknowledged[n]
      const session = await timed(() => sessions.get(id(n)), 'get')
      seen.reads += 1
      if (session !== undefined && session.visits < known) seen.failures.push('a visit was lost')
      const visits = seen.acknowledged[n] + 1
      await timed(async () => {
        await sessions.save(id(n), { visits })
        seen.acknowledged[n] = visits
      }, 'save')
      await pass(1)
    }
  }
  const done = Promise.all(Array.from({ length: 16 }, (_, first) => visitor(first)))
  return { seen, done }
}

test('no request fails when a node freezes, and none exceeds its timeout', async () => {
  const { server, sessions } = await cluster()
  const over = new AbortController()
  const { seen, done } = visit(sessions, over.signal)
  await pass(200)
  await server.freeze(1)
  await server.settled()
  await pass(500)
  await server.thaw(1)
  await server.settled()
  over.abort()
  await done
  expect(seen.failures).toEqual([])
  expect(seen.longest).toBeLessThan(TIMEOUT + SLACK)
}, 60_000)

test('no request fails when a node dies, and its sessions can be read at once', async () => {
  const { server, sessions } = await cluster()
  const over = new AbortController()
  const { seen, done } = visit(sessions, over.signal)
  await pass(200)
  const reader = new SessionStore({ hosts: server.hosts, timeout: TIMEOUT })
  open.push(reader)
  await all(n => reader.get(id(n)))
  await server.stopNode(1)
  // The cluster has not noticed yet. Every session is read from the node with the other replica.
  const before = performance.now()
  await all(n => reader.get(id(n)))
  const took = performance.now() - before
  await server.settled()
  await pass(200)
  over.abort()
  await done
  expect(took).toBeLessThan(HEARTBEAT_TIMEOUT)
  expect(seen.failures).toEqual([])
  expect(seen.longest).toBeLessThan(TIMEOUT + SLACK)
}, 60_000)

test('a cluster that has moved is found again under its old name', async () => {
  const first = await DevServer.start()
  const second = await DevServer.start()
  let target = first.port
  // Stands for the name: a port that forwards to the cluster.
  const sockets = new Set()
  const name = net.createServer(socket => {
    const onward = net.connect(target, '127.0.0.1')
    sockets.add(socket).add(onward)
    for (const [from, to] of [[socket, onward], [onward, socket]]) {
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  }).listen(0, '127.0.0.1')
  await once(name, 'listening')
  const sessions = new SessionStore({ hosts: `127.0.0.1:${name.address().port}`, timeout: TIMEOUT })
  const stop = async () => {
    name.close()
    for (const socket of sockets) socket.destroy()
  }
  open.push({ stop }, second, sessions)
  await sessions.save('one', { n: 1 })
  const down = once(sessions, 'down')
  target = second.port
  await first.stop()
  await down
  const up = once(sessions, 'up')
  await up
  await sessions.save('two', { n: 2 })
  expect(await sessions.get('two')).toEqual({ n: 2 })
  expect(await sessions.get('one')).toBe(null)
}, 30_000)

test('every operation fails on time if no node answers, and works again afterwards', async () => {
  const { server, sessions } = await cluster({ timeout: 1_000 })
  for (const node of [0, 1, 2]) await server.freeze(node)
  const begun = performance.now()
  const outcomes = await Promise.allSettled(Array.from({ length: 200 }, (_, n) => n % 2 ? sessions.get(id(n)) : sessions.save(id(n), { visits: 1 })))
  const took = performance.now() - begun
  expect(outcomes.map(({ reason }) => reason?.code).filter(code => !['TIMEOUT', 'UNAVAILABLE'].includes(code))).toEqual([])
  expect(outcomes.filter((_, n) => n % 2 === 0).every(({ reason }) => reason.inDoubt)).toBe(true)
  expect(outcomes.filter((_, n) => n % 2 === 1).some(({ reason }) => reason.inDoubt)).toBe(false)
  expect(took).toBeLessThan(1_000 + SLACK)
  for (const node of [0, 1, 2]) await server.thaw(node)
  await server.settled()
  await all(n => sessions.save(id(n), { visits: 2 }))
  expect(await sessions.get(id(7))).toEqual({ visits: 2 })
}, 30_000)

// Finds and removes every session of a user, with and without an index, while the node with a third of them is down.
test.each([
  ['dies', server => server.stopNode(1)],
  ['freezes', server => server.freeze(1)]
])('logging out everywhere works while a node %s', async (_, lose) => {
  const { server, sessions } = await cluster()
  const store = new AerospikeStore({ client: sessions, prefix: 'web:', user: session => session.user })
  await store.createUserIndex()
  const visitor = n => ({ cookie: { maxAge: 60_000 }, user: `user-${n % 2}` })
  await all(n => store.set(id(n), visitor(n)))
  await lose(server)
  expect(await store.destroyOf('user-0', { except: id(0) })).toBe(SESSIONS / 2 - 1)
  expect(await store.countOf('user-0')).toBe(1)
  expect(await store.sessionsOf('user-1')).toHaveLength(SESSIONS / 2)
  await store.clear()
  expect(await store.length()).toBe(0)
}, 60_000)

test('a write that timed out on a slow connection is not applied after a later one', async () => {
  const { server, sessions } = await cluster()
  const changed = id(0)
  const left = id(1)
  const slow = { kind: 'latency', ms: 1_500, when: 'before', on: 'write', times: 1 }
  const first = await server.inject(slow)
  await sessions.save(changed, { visits: 1 })
  await sessions.save(changed, { visits: 2 })
  const second = await server.inject(slow)
  await sessions.save(left, { visits: 1 })
  await sessions.delete(left)
  expect(await first.struck()).toBe(1)
  expect(await second.struck()).toBe(1)
  // After both delays.
  await pass(1_500)
  expect(await sessions.get(changed)).toEqual({ visits: 2 })
  expect(await sessions.get(left)).toBe(null)
  expect((await sessions.stats()).retries).toBeGreaterThanOrEqual(2)
}, 30_000)

test.each([
  ['', { nodes: 3 }, {}, 0.55],
  // Half of the reads go to the frozen node. With racks, three quarters go to a master in the same rack or to the node itself.
  [' of the rack that is read from', { nodes: 4, racks: [1, 1, 2, 2] }, { rackIds: [1] }, 0.65]
])('reads wait for a frozen node%s only once', async (_, nodes, options, most) => {
  const server = await DevServer.start({ heartbeatTimeout: HEARTBEAT_TIMEOUT, migrationTime: 100, ...nodes })
  const sessions = new SessionStore({ hosts: server.hosts, timeout: TIMEOUT, ...options })
  open.push(server, sessions)
  await all(n => sessions.save(id(n), { visits: 0 }))
  // Racks are known after the second check of the nodes.
  await pass(1_500)
  await server.freeze(0)
  const frozen = performance.now()
  const reads = []
  for (let n = 0; performance.now() < frozen + 1_400; n++) {
    const begun = performance.now()
    reads.push(sessions.get(id(n % SESSIONS)).then(() => ({ at: begun - frozen, took: performance.now() - begun })))
    await pass(3)
  }
  const done = await Promise.all(reads)
  const late = (from, to) => {
    const begun = done.filter(({ at }) => at >= from && at < to)
    return begun.filter(({ took }) => took > 150).length / begun.length
  }
  const silence = TIMEOUT / 6
  expect(late(0, silence - 200)).toBeLessThan(most)
  expect(late(silence + 200, Infinity)).toBeLessThan(0.05)
}, 30_000)

test('a cluster that is always slow is still used', async () => {
  const { server, sessions } = await cluster()
  await server.inject({ kind: 'latency', ms: 700 })
  for (const visits of [1, 2, 3]) {
    await all(n => sessions.save(id(n), { visits }))
    expect(await all(n => sessions.get(id(n)))).toEqual(new Array(SESSIONS).fill({ visits }))
  }
}, 30_000)
