'use strict'

// No more than the limit is allowed, however many processes ask at once, and whatever breaks. An increment is never repeated when it is in
// doubt.

const { setTimeout: pass } = require('node:timers/promises')
const { RateLimiter, AerospikeRateLimitStore } = require('../../exports/rate-limit')
const { consume } = require('../support/consumers')
const { openLimiter } = require('../support/limits')
const { cleanups, open, start } = require('../support/opened')
const { freshSet, hosts } = require('../support/server')

const caught = promise => promise.then(() => { throw new Error('no error') }, error => error)

describe('10,000 calls for one key by 64 limiters of 4 processes', () => {
  // 156 calls each are 9,984: the limiter that looks afterwards makes the rest.
  const work = { key: 'ada', processes: 4, limiters: 16, calls: 156, together: 156 }

  test.each([
    ['fixed', 1_000], ['sliding', 1_000], ['fixed', 9_990]
  ])('allow exactly the limit (%s, %i)', async (type, limit) => {
    const options = { hosts: hosts(), set: freshSet(), type, limit, window: 3_600, timeout: 60_000 }
    const limiter = openLimiter(RateLimiter, options)
    const sums = await consume({ ...work, ...options })
    const rest = await Promise.all(Array.from({ length: 16 }, () => limiter.consume('ada')))
    const allowed = sums.allowed + rest.filter(result => result.allowed).length
    expect({ allowed, failed: sums.failed, inDoubt: sums.inDoubt, codes: sums.codes }).toStrictEqual({ allowed: limit, failed: 0, inDoubt: 0, codes: {} })
    expect(await limiter.peek('ada')).toMatchObject({ allowed: false, remaining: 0 })
  }, 120_000)
})

test('calls of a process that wait for the same key share commands', async () => {
  const limiter = openLimiter(RateLimiter, { limit: 500, window: 60 })
  await limiter.consume('ada')
  const before = limiter.stats()
  const results = await Promise.all(Array.from({ length: 2_000 }, () => limiter.consume('ada')))
  expect(results.filter(result => result.allowed)).toHaveLength(499)
  const after = limiter.stats()
  expect(after.operations.consume.ok - before.operations.consume.ok).toBe(2_000)
  expect(after.batched - before.batched).toBe(0)
})

test('calls for different keys go in batches, together with operations on sessions', async () => {
  const server = await start()
  const sessions = open(server)
  await sessions.ready()
  const limiter = new RateLimiter({ client: sessions, limit: 1, window: 60 })
  await server.inject({ kind: 'latency', ms: 5 })
  const before = sessions.stats()
  const results = await Promise.all(Array.from({ length: 300 }, (_, n) => [limiter.consume(`key-${n}`), sessions.save(`sid-${n}`, { n })]).flat())
  expect(results.filter(result => result?.allowed)).toHaveLength(300)
  const after = sessions.stats()
  // 600 operations in batches of up to 128. If limits and sessions went apart, there would be more than that.
  expect(after.batched - before.batched).toBeGreaterThan(500)
  expect(after.batches - before.batches).toBeLessThan(20)
})

describe('an increment', () => {
  /** Opens a limiter and an express store on a dev server. `used` returns the points that were counted. */
  async function limited (options = {}) {
    const server = await start()
    const client = open(server, { timeout: 1_000 })
    await client.ready()
    const limiter = new RateLimiter({ client, limit: 1_000, window: 3_600, ...options })
    const store = new AerospikeRateLimitStore({ client, prefix: '' })
    store.init({ windowMs: 3_600_000 })
    const used = async () => 1_000 - (await limiter.peek('ada')).remaining
    await limiter.consume('ada')
    return { server, limiter, store, used }
  }

  test.each(['drop', 'reset'].flatMap(kind => [['before', 1], ['after', 2], ['midReply', 2]].map(([when, points]) => [kind, when, points])))(
    'whose connection is lost (%s, %s) is in doubt, and is not sent again', async (kind, when, points) => {
      const { server, limiter, used } = await limited()
      const fault = await server.inject({ kind, when, on: 'write' })
      expect(await caught(limiter.consume('ada'))).toMatchObject({ inDoubt: true, retryable: true })
      expect(await fault.remove()).toBe(1)
      expect(await used()).toBe(points)
    })

  test('that is not answered in time is in doubt, and is not sent again', async () => {
    const { server, limiter, used } = await limited()
    const fault = await server.inject({ kind: 'latency', ms: 5_000, on: 'write', times: 1 })
    expect(await caught(limiter.consume('ada'))).toMatchObject({ code: 'TIMEOUT', inDoubt: true })
    expect(await fault.struck()).toBe(1)
    await server.clearFaults()
    expect(await used()).toBeLessThanOrEqual(2)
    await limiter.consume('ada')
    expect(await used()).toBeLessThanOrEqual(3)
  })

  test('after which the server answers TIMEOUT is in doubt, and other refusals are repeated until it is counted, once', async () => {
    const { server, limiter, used } = await limited()
    const timeout = await server.inject({ kind: 'code', code: 'TIMEOUT', on: 'write' })
    expect(await caught(limiter.consume('ada'))).toMatchObject({ code: 'TIMEOUT', inDoubt: true })
    expect(await timeout.remove()).toBe(1)
    expect(await used()).toBe(1)
    for (const code of ['KEY_BUSY', 'DEVICE_OVERLOAD']) {
      const fault = await server.inject({ kind: 'code', code, times: 2, on: 'write' })
      expect(await limiter.consume('ada')).toMatchObject({ allowed: true })
      expect(await fault.struck()).toBe(2)
    }
    expect(await used()).toBe(3)
    await server.inject({ kind: 'code', code: 'KEY_BUSY', on: 'write' })
    expect(await caught(limiter.consume('ada'))).toMatchObject({ code: 'OVERLOAD', inDoubt: false })
    await server.clearFaults()
    expect(await used()).toBe(3)
  })

  test('in a batch whose answer is lost is in doubt, and none of them is sent again', async () => {
    const { server, limiter } = await limited()
    await server.inject({ kind: 'latency', ms: 20 })
    await server.inject({ kind: 'drop', when: 'after', on: 'write', probability: 0.2, seed: 7 })
    const keys = Array.from({ length: 400 }, (_, n) => `key-${n}`)
    const outcomes = await Promise.allSettled(keys.map(key => limiter.consume(key)))
    await server.clearFaults()
    const counted = await Promise.all(keys.map(async key => 1_000 - (await limiter.peek(key)).remaining))
    const lost = outcomes.filter(({ status }) => status === 'rejected')
    expect(lost.length).toBeGreaterThan(0)
    for (const [n, { status, reason }] of outcomes.entries()) {
      if (status === 'fulfilled') expect(counted[n]).toBe(1)
      else expect([reason.inDoubt, counted[n] <= 1]).toStrictEqual([true, true])
    }
  })

  test('of calls that share a command is in doubt for all of them', async () => {
    const { server, limiter, used } = await limited()
    const fault = await server.inject({ kind: 'drop', when: 'after', on: 'write' })
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => limiter.consume('ada')))
    const struck = await fault.remove()
    expect(outcomes.map(({ reason }) => reason?.inDoubt)).toStrictEqual(Array(50).fill(true))
    expect(struck).toBeLessThan(50)
    expect(await used()).toBe(51)
  })

  test.each([['allow', true], ['deny', false]])('in doubt is decided by onError: %p', async (onError, isAllowed) => {
    const { server, limiter, used } = await limited({ onError })
    await server.inject({ kind: 'drop', when: 'after', on: 'write', times: 1 })
    expect(await limiter.consume('ada')).toMatchObject({ allowed: isAllowed, error: { inDoubt: true } })
    expect(await used()).toBe(2)
  })

  test('and a decrement of a store are not sent again either', async () => {
    const { server, store } = await limited()
    for (const method of ['increment', 'decrement']) {
      const before = await store.get('ada')
      const fault = await server.inject({ kind: 'drop', when: 'after', on: 'write' })
      expect(await caught(store[method]('ada'))).toMatchObject({ inDoubt: true })
      expect(await fault.remove()).toBe(1)
      const after = await store.get('ada')
      expect(after.totalHits - before.totalHits).toBe(method === 'increment' ? 1 : -1)
    }
  })

  test('that never left the process is repeated until a node can be reached', async () => {
    const { server, limiter, used } = await limited()
    const outage = await server.inject({ kind: 'refuse' })
    await server.inject({ kind: 'reset', on: 'read', times: 10 })
    await Promise.allSettled(Array.from({ length: 10 }, (_, n) => limiter.peek(`any-${n}`)))
    const consumed = limiter.consume('ada')
    await pass(200)
    await outage.remove()
    const outcome = await consumed.then(result => result.allowed, error => error.inDoubt ? 'in doubt' : error.code)
    await server.clearFaults()
    const counted = await used()
    if (outcome === true) expect(counted).toBe(2)
    else if (outcome === 'in doubt') expect(counted).toBeLessThanOrEqual(2)
    else expect(counted).toBe(1)
  })
})

test('while a node of three dies, no more than the limit and the increments in doubt are allowed', async () => {
  const server = await start({ nodes: 3, heartbeatTimeout: 1_500, migrationTime: 100 })
  const options = { hosts: server.hosts, set: freshSet(), limit: 1_000, window: 3_600 }
  const limiters = Array.from({ length: 4 }, () => new RateLimiter(options))
  for (const limiter of limiters) cleanups.push(() => limiter.close())
  await Promise.all(limiters.map(limiter => limiter.client.ready()))
  // Keys on all nodes. Each limiter consumes of all of them.
  const keys = Array.from({ length: 12 }, (_, n) => `key-${n}`)
  const seen = new Map(keys.map(key => [key, { allowed: 0, inDoubt: 0, calls: 0 }]))
  const over = new AbortController()
  const visit = async (limiter, key) => {
    while (!over.signal.aborted) {
      const counts = seen.get(key)
      counts.calls += 1
      try {
        if ((await limiter.consume(key)).allowed) counts.allowed += 1
      } catch (error) {
        if (error.inDoubt) counts.inDoubt += 1
      }
      await pass(1)
    }
  }
  const visits = limiters.flatMap(limiter => keys.map(key => visit(limiter, key)))
  await pass(500)
  await server.stopNode(1)
  await server.settled()
  await pass(1_000)
  over.abort()
  await Promise.all(visits)
  let doubtful = 0
  let calls = 0
  for (const [key, { allowed, inDoubt, calls: ofKey }] of seen) {
    const counted = options.limit - (await limiters[0].peek(key)).remaining
    // Every point that was allowed is counted, and at most those in doubt besides.
    expect(counted).toBeGreaterThanOrEqual(allowed)
    expect(counted).toBeLessThanOrEqual(allowed + inDoubt)
    expect(allowed).toBeLessThanOrEqual(options.limit)
    doubtful += inDoubt
    calls += ofKey
  }
  expect(calls).toBeGreaterThan(keys.length * limiters.length)
  process.stdout.write(`A node of three died during ${calls} calls: ${doubtful} increments were in doubt.\n`)
}, 60_000)
