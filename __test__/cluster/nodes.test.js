'use strict'

// A cluster whose nodes stop and start while sessions are used: the store on a dev server with three nodes.

const { setTimeout: pass } = require('node:timers/promises')
const { AerospikeStore, SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { OfficialClient } = require('../support/official-client')

const SESSIONS = 200
const NODES = 3

const id = n => `visitor-${n}`

/** @type {DevServer} */
let server
/** @type {SessionStore} */
let sessions

beforeAll(async () => {
  server = await DevServer.start({ nodes: NODES, heartbeatTimeout: 500, migrationTime: 100 })
  sessions = new SessionStore({ hosts: server.hosts, ttl: 3_600 })
  await sessions.ready()
})

afterAll(async () => {
  await sessions.close()
  await server.stop()
})

/** Returns the number of visits per session. */
async function visits () {
  const found = await Promise.all(Array.from({ length: SESSIONS }, (_, n) => sessions.get(id(n))))
  return found.map(session => session?.visits)
}

test('sessions survive the loss of each node in turn, and no acknowledged write is lost', async () => {
  const acknowledged = new Array(SESSIONS).fill(0)
  await Promise.all(acknowledged.map((_, n) => sessions.save(id(n), { visits: 0 })))

  // Visits random sessions, one visitor at a time per session, while nodes stop and start.
  const over = new AbortController()
  const failures = []
  const visitor = async first => {
    for (let n = first; !over.signal.aborted; n = (n + 16) % SESSIONS) {
      const next = acknowledged[n] + 1
      try {
        await sessions.save(id(n), { visits: next })
        acknowledged[n] = next
      } catch (error) {
        failures.push(error.code)
        // The write may have been applied anyway.
        acknowledged[n] = (await sessions.get(id(n))).visits
      }
      await pass(1)
    }
  }
  const visitors = Array.from({ length: 8 }, (_, first) => visitor(first))
  for (let node = 0; node < NODES; node++) {
    await server.stopNode(node)
    await server.settled()
    await pass(200)
    await server.startNode(node)
    await server.settled()
    await pass(200)
  }
  over.abort()
  await Promise.all(visitors)

  expect(await visits()).toEqual(acknowledged)
  expect(failures).toEqual([])
  expect(Math.min(...acknowledged)).toBeGreaterThan(0)
}, 60_000)

test('a store that knows one node finds the others', async () => {
  const [first] = await server.nodes()
  const store = new AerospikeStore({ hosts: first.address })
  try {
    await store.ready()
    await server.stopNode(0)
    await server.settled()
    expect(await sessions.get(id(1))).toEqual({ visits: expect.any(Number) })
    expect((await store.get(id(1))).visits).toBeGreaterThan(0)
    await server.startNode(0)
    await server.settled()
  } finally {
    await store.close()
  }
}, 30_000)

test('the official client finds and follows the nodes', async () => {
  const official = await OfficialClient.connect((await server.nodes())[0].address)
  try {
    const bins = async () => (await Promise.all(Array.from({ length: SESSIONS }, (_, n) =>
      official.get('test', 'sessions', id(n))))).map(({ bins }) => bins.data.visits)
    const before = await visits()
    expect(await bins()).toEqual(before)
    await server.stopNode(2)
    await server.settled()
    // It checks for changes once a second.
    await pass(1_500)
    expect(await bins()).toEqual(before)
    await server.startNode(2)
    await server.settled()
  } finally {
    await official.close()
  }
}, 30_000)

test('records that only lost nodes held are gone, and the cluster keeps working', async () => {
  await server.stopNode(1)
  await server.stopNode(2)
  await server.settled()
  const left = (await visits()).filter(found => found !== undefined).length
  expect(left).toBeGreaterThan(SESSIONS / 3)
  expect(left).toBeLessThan(SESSIONS)
  await sessions.save('new', { visits: 1 })
  expect((await server.nodes()).map(({ isRunning }) => isRunning)).toEqual([true, false, false])

  await server.startNode(1)
  await server.startNode(2)
  await server.settled()
  expect((await visits()).filter(found => found !== undefined)).toHaveLength(left)
  expect(await sessions.get('new')).toEqual({ visits: 1 })
}, 30_000)

test('the error names a node that does not exist', async () => {
  await expect(server.stopNode(3)).rejects.toThrow('there is no node 3: the nodes are 0 to 2')
  await expect(server.startNode(-1)).rejects.toThrow('a node is named by its number, from 0')
})
