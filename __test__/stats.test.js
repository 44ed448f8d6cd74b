'use strict'

// What a store tells of itself.

const { DevServer } = require('../dev-server')
const { SessionStore, AerospikeStore } = require('..')
const { openSessions, openStore } = require('./support/server')

const sum = numbers => numbers.reduce((a, b) => a + b, 0)

test('operations are counted by method and outcome, and their latencies', async () => {
  const sessions = openSessions()
  await sessions.save('one', { n: 1 })
  await sessions.get('one')
  await sessions.get('none')
  await expect(sessions.save('big', { text: 'x'.repeat(2_000_000) })).rejects.toMatchObject({ code: 'TOO_BIG' })
  const { operations, latency, inFlight, connected, nodes } = sessions.stats()
  expect(operations).toEqual({ get: { ok: 2, errors: {} }, save: { ok: 1, errors: { TOO_BIG: 1 } } })
  expect(latency.counts).toHaveLength(latency.bounds.length + 1)
  expect(sum(latency.counts)).toBe(4)
  expect(inFlight).toBe(0)
  expect(connected).toBe(true)
  expect(nodes.length).toBeGreaterThan(0)
  for (const node of nodes) expect(node).toEqual({ name: expect.any(String), address: expect.stringMatching(/:\d+$/), active: true })
})

test('what is under way is told, and that many go together', async () => {
  const store = openStore()
  await store.ready()
  const reads = Array.from({ length: 500 }, (_, n) => store.get(`visitor-${n}`))
  expect(store.stats().inFlight).toBeGreaterThan(0)
  await Promise.all(reads)
  const { inFlight, batches, batched, operations } = store.stats()
  expect(inFlight).toBe(0)
  expect(operations.get.ok).toBe(500)
  expect(batches).toBeGreaterThan(0)
  expect(batched).toBeGreaterThan(batches)
})

test('retries are counted, and a cluster that is away is told as such', async () => {
  const server = await DevServer.start()
  const sessions = new SessionStore({ hosts: server.hosts, timeout: 1_000 })
  const store = new AerospikeStore({ client: sessions })
  try {
    await sessions.save('one', { n: 1 })
    expect(sessions.stats().retries).toBe(0)
    await server.inject({ kind: 'code', code: 14, on: 'write', times: 2 })
    await sessions.save('one', { n: 2 })
    expect(sessions.stats().retries).toBe(2)
    expect(store.stats()).toEqual(sessions.stats())
    await server.stop()
    await expect(sessions.get('one')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(sessions.stats()).toMatchObject({ operations: { get: { ok: 0, errors: { UNAVAILABLE: 1 } } } })
  } finally {
    await sessions.close()
  }
  expect(sessions.stats().connected).toBe(false)
})
