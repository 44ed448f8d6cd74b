'use strict'

// The statistics of a store.

const { tracingChannel } = require('node:diagnostics_channel')
const { once } = require('node:events')
const { DevServer } = require('../../exports/dev-server')
const { SessionStore, AerospikeStore } = require('../..')
const { hosts, openSessions, openStore } = require('../support/server')

const sum = numbers => numbers.reduce((a, b) => a + b, 0)

test('count operations by method and outcome, with their latencies', async () => {
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

test('report operations in flight and batches', async () => {
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

test('count retries, and report a cluster that is down', async () => {
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

describe('a call that fails before the cluster is asked', () => {
  const WRONG_ID = ['', 5, null, undefined, '\ud800']
  const SESSION = { cookie: { originalMaxAge: null, path: '/' } }

  /** Failing calls by method, of an AerospikeStore and of its client. */
  const EXPRESS = {
    get: [...WRONG_ID.map(id => [id])],
    set: [...WRONG_ID.map(id => [id, SESSION]), ['a', null], ['a', { a: 1n }]],
    touch: [...WRONG_ID.map(id => [id, SESSION])],
    destroy: [...WRONG_ID.map(id => [id])],
    ids: [[]],
    sessionsOf: [['', {}], ['ada', { limit: 0 }], ['ada', { limits: 1 }]],
    countOf: [[''], [{}]],
    destroyOf: [[''], ['ada', { except: '' }], ['ada', { exept: 'a' }]],
    destroyByDigest: [[''], ['0'.repeat(40), {}], ['0'.repeat(40), { of: '' }]],
    prune: [[{ batch: 0 }], [{ onProgress: 5 }]],
    sessions: [[{ batch: 0 }], [{ size: 1 }]]
  }
  const SESSIONS = {
    get: WRONG_ID.map(id => [id]),
    save: [...WRONG_ID.map(id => [id, {}]), ['a', null], ['a', {}, { ttl: 0 }], ['a', {}, { tll: 1 }]],
    touch: [...WRONG_ID.map(id => [id]), ['a', { ttl: -1 }]],
    delete: WRONG_ID.map(id => [id]),
    has: WRONG_ID.map(id => [id])
  }
  /** Calls that fail only on a closed store. */
  const CLOSED = { all: [[]], length: [[]], clear: [[]], createUserIndex: [[]] }

  /** Makes each call, and counts what the channels publish. */
  async function counted (store, calls) {
    const published = {}
    for (const [method, every] of Object.entries(calls)) {
      const subscriber = {
        error: ({ operation, error }) => {
          published[operation] ??= { ok: 0, errors: {} }
          published[operation].errors[error.code] = (published[operation].errors[error.code] ?? 0) + 1
        }
      }
      const channel = tracingChannel(`aerospike-session:${method}`)
      for (const isSubscribed of [true, false]) {
        if (isSubscribed) channel.subscribe(subscriber)
        for (const args of every) await run(store, method, args)
        if (isSubscribed) channel.unsubscribe(subscriber)
      }
    }
    // Calls without subscribers are counted, too.
    for (const { errors } of Object.values(published)) for (const code of Object.keys(errors)) errors[code] *= 2
    return published
  }

  /** Makes a call, which must fail. */
  async function run (store, method, args) {
    const answer = store[method](...args)
    const failed = typeof answer.next === 'function' ? answer.next() : answer
    await expect(failed).rejects.toMatchObject({ name: 'AerospikeSessionError' })
  }

  test.each([
    ['an AerospikeStore', () => openStore(), EXPRESS, store => store.client],
    ['a SessionStore', () => openSessions(), SESSIONS, store => store]
  ])('is counted by %s as on the channels', async (_, open, calls, clientOf) => {
    const store = open()
    await store.ready()
    const published = await counted(store, calls)
    expect(Object.keys(published).sort()).toStrictEqual(Object.keys(calls).sort())
    expect(store.stats().operations).toEqual(published)
    expect(clientOf(store).stats()).toEqual(store.stats())
  })

  test.each([
    ['an AerospikeStore', AerospikeStore, { ...EXPRESS, ...CLOSED }],
    ['a SessionStore', SessionStore, SESSIONS]
  ])('is counted by %s that is closed', async (_, Store, calls) => {
    const store = new Store({ hosts: hosts() })
    await store.ready()
    await store.close()
    const published = await counted(store, calls)
    expect(store.stats().operations).toEqual(published)
    expect(published.get.errors).toEqual({ CLOSED: 10 })
  })

  test('adds to the counts of calls that the cluster has answered', async () => {
    const store = openStore()
    await store.set('a', SESSION)
    await expect(store.set('', SESSION)).rejects.toMatchObject({ code: 'BAD_KEY' })
    expect(store.stats().operations.set).toEqual({ ok: 1, errors: { BAD_KEY: 1 } })
  })
})

test('report that a closed store is not connected', async () => {
  const store = new AerospikeStore({ hosts: hosts() })
  await Promise.all([store.ready(), once(store.client, 'up')])
  expect([store.client.connected, store.stats().connected]).toStrictEqual([true, true])
  const closing = store.close()
  expect([store.client.connected, store.stats().connected]).toStrictEqual([false, false])
  await closing
  expect([store.client.connected, store.stats().connected]).toStrictEqual([false, false])
})

describe('functions of the application that return promises', () => {
  test('prune awaits each onProgress, and fails with its rejection', async () => {
    const store = openStore()
    let running = 0
    let most = 0
    const slow = async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise(resolve => setTimeout(resolve, 5))
      running -= 1
    }
    await store.prune({ batch: 1, onProgress: slow })
    expect([running, most]).toStrictEqual([0, 1])
    const reason = new Error('theirs')
    await expect(store.prune({ onProgress: async () => { throw reason } })).rejects.toBe(reason)
    await expect(store.prune({ onProgress: () => { throw reason } })).rejects.toBe(reason)
  })

  test.each([['ttl', 'BAD_OPTION'], ['user', 'BAD_DATA']])('%s must not return one, and its rejection does not end the process', async (option, code) => {
    const unhandled = jest.fn()
    process.on('unhandledRejection', unhandled)
    try {
      const store = openStore({ [option]: async () => { throw new Error('theirs') } })
      await expect(store.set('a', { cookie: { path: '/' } })).rejects.toMatchObject({ code, message: expect.stringContaining('not a promise') })
      await new Promise(resolve => setTimeout(resolve, 20))
      expect(unhandled).not.toHaveBeenCalled()
    } finally {
      process.off('unhandledRejection', unhandled)
    }
  })
})
