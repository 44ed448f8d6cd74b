'use strict'

// RateLimiter: what it allows, and when.

const { AsyncLocalStorage } = require('node:async_hooks')
const { setTimeout: pass } = require('node:timers/promises')
const { AerospikeSessionError, AerospikeStore, SessionStore } = require('../..')
const { AerospikeRateLimitStore, RateLimiter, fastifyRateLimitStore } = require('../../exports/rate-limit')
const { openLimiter, withClock } = require('../support/limits')
const { freshSet, hasNoTtlNamespace, hosts, openSessions, openStore } = require('../support/server')

const caught = promise => promise.then(() => { throw new Error('no error') }, error => error)
const allowed = async promise => (await promise).allowed

describe('consume()', () => {
  test('allows as many points as the limit, and answers what is left', async () => {
    const limiter = openLimiter(RateLimiter, { limit: 3, window: 60 })
    const before = Date.now()
    const first = await limiter.consume('ada')
    expect(first).toStrictEqual({ allowed: true, remaining: 2, resetAt: expect.any(Date), retryAfter: 0 })
    expect(first.resetAt.getTime()).toBeGreaterThanOrEqual(before + 60_000)
    expect(first.resetAt.getTime()).toBeLessThanOrEqual(Date.now() + 60_000)
    expect(await limiter.consume('ada', 2)).toStrictEqual({ ...first, remaining: 0 })
    const refused = await limiter.consume('ada')
    expect(refused).toStrictEqual({ allowed: false, remaining: 0, resetAt: first.resetAt, retryAfter: expect.any(Number) })
    expect(refused.retryAfter).toBeGreaterThan(50)
    expect(refused.retryAfter).toBeLessThanOrEqual(60)
    expect(await limiter.consume('bob')).toMatchObject({ allowed: true, remaining: 2 })
  })

  test('consumes nothing if the points do not fit', async () => {
    const limiter = openLimiter(RateLimiter, { limit: 3, window: 60 })
    await limiter.consume('ada', 2)
    expect(await limiter.consume('ada', 2)).toMatchObject({ allowed: false, remaining: 1 })
    expect(await limiter.consume('ada', 1)).toMatchObject({ allowed: true, remaining: 0 })
  })

  test.each(['fixed', 'sliding'])('of many calls at once, as many are allowed as the limit (%s)', async type => {
    const limiter = openLimiter(RateLimiter, { limit: 7, window: 60, type })
    const results = await Promise.all(Array.from({ length: 100 }, () => limiter.consume('ada')))
    expect(results.map(result => result.allowed)).toStrictEqual(Array.from({ length: 100 }, (_, n) => n < 7))
    expect(results.slice(0, 8).map(result => result.remaining)).toStrictEqual([6, 5, 4, 3, 2, 1, 0, 0])
    expect(await limiter.peek('ada')).toMatchObject({ allowed: false, remaining: 0 })
  })

  test('calls of different points and a reset among them are carried out in their order', async () => {
    const limiter = openLimiter(RateLimiter, { limit: 5, window: 60 })
    const results = await Promise.all([
      limiter.consume('ada'), limiter.consume('ada', 3), limiter.consume('ada', 2), limiter.consume('ada'),
      limiter.consume('ada'), limiter.reset('ada'), limiter.consume('ada', 5), limiter.peek('ada')
    ])
    expect(results.map(result => result.allowed ?? result)).toStrictEqual([true, true, false, true, false, true, true, false])
  })

  test('takes any string as a key', async () => {
    const limiter = openLimiter(RateLimiter, { limit: 1, window: 60 })
    for (const key of ['::1', 'a\0b', '💥', 'x'.repeat(4_096), '__proto__', ' ']) {
      expect(await limiter.consume(key)).toMatchObject({ allowed: true })
      expect(await limiter.consume(key)).toMatchObject({ allowed: false })
    }
  })

  test.each([
    ['', 'must not be empty'], ['x'.repeat(4_097), 'at most 4096 bytes'], ['é'.repeat(2_049), 'at most 4096 bytes'],
    ['\ud800', 'well-formed'], [undefined, 'a string'], [17, 'a string'], [null, 'a string']
  ])('refuses the key %#', async (key, words) => {
    for (const onError of [undefined, 'allow', 'deny']) {
      const limiter = openLimiter(RateLimiter, { limit: 1, window: 60, onError })
      const error = await caught(limiter.consume(key))
      expect(error).toBeInstanceOf(AerospikeSessionError)
      expect(error).toMatchObject({ code: 'BAD_KEY', message: expect.stringContaining(words) })
      expect(await caught(limiter.peek(key))).toMatchObject({ code: 'BAD_KEY' })
      expect(await caught(limiter.reset(key))).toMatchObject({ code: 'BAD_KEY' })
    }
  })

  test.each([0, -1, 1.5, 4, '1', NaN, null])('refuses %p points', async points => {
    const limiter = openLimiter(RateLimiter, { limit: 3, window: 60, onError: 'allow' })
    const given = points === null ? {} : points
    expect(await caught(limiter.consume('ada', given))).toMatchObject({ code: 'BAD_OPTION', message: expect.stringContaining("'points'") })
  })
})

describe('a window', () => {
  test('ends to the millisecond, and the next begins with the next point', async () => {
    const { RateLimiter, clock } = withClock()
    const limiter = openLimiter(RateLimiter, { limit: 2, window: 60 })
    const { resetAt } = await limiter.consume('ada', 2)
    // The clock stands at a time: the shift is what the real clock lacks.
    const at = async (time, use) => {
      const { now } = Date
      clock.shift = time - now()
      return use()
    }
    expect(await allowed(at(resetAt.getTime() - 1_000, () => limiter.consume('ada')))).toBe(false)
    const next = await at(resetAt.getTime() + 500, () => limiter.consume('ada'))
    expect(next).toMatchObject({ allowed: true, remaining: 1 })
    expect(next.resetAt.getTime()).toBeGreaterThanOrEqual(resetAt.getTime() + 60_500)
  })

  test('is not begun anew by a process whose clock is behind', async () => {
    const set = freshSet()
    const ahead = openLimiter(withClock(30_000).RateLimiter, { limit: 2, window: 60, set })
    const behind = openLimiter(withClock(-30_000).RateLimiter, { limit: 2, window: 60, set })
    const { resetAt } = await ahead.consume('ada')
    expect(await behind.consume('ada')).toMatchObject({ allowed: true, remaining: 0, resetAt })
    expect(await behind.consume('ada')).toMatchObject({ allowed: false, resetAt })
    expect(await ahead.consume('ada')).toMatchObject({ allowed: false, resetAt })
  })

  test.each(['fixed', 'sliding'])('of clocks that differ never holds more than the limit (%s)', async type => {
    const set = freshSet()
    const limiters = [-25_000, -3_000, 0, 4_000, 30_000].map(shift => openLimiter(withClock(shift).RateLimiter, { limit: 10, window: 3_600, type, set }))
    const results = await Promise.all(Array.from({ length: 100 }, (_, n) => limiters[n % 5].consume('ada')))
    expect(results.filter(result => result.allowed)).toHaveLength(10)
  })

  test('that slides counts the window before in proportion', async () => {
    const { RateLimiter, clock } = withClock()
    const limiter = openLimiter(RateLimiter, { limit: 10, window: 100, type: 'sliding' })
    const { resetAt } = await limiter.consume('ada', 10)
    const end = resetAt.getTime() - 100_000
    clock.shift = end - Date.now() + 49_000
    const half = await limiter.peek('ada')
    expect(half).toMatchObject({ allowed: true, remaining: 4 })
    expect(await limiter.consume('ada', 4)).toMatchObject({ allowed: true, remaining: 0 })
    const refused = await limiter.consume('ada')
    expect(refused.allowed).toBe(false)
    // A tenth of the window takes back one of the ten points.
    expect(refused.retryAfter).toBeLessThanOrEqual(11)
    clock.shift += refused.retryAfter * 1_000
    expect(await limiter.consume('ada')).toMatchObject({ allowed: true })
    // Five points of the window before, of which a little less than a half counts.
    clock.shift = end - Date.now() + 151_000
    expect(await limiter.peek('ada')).toMatchObject({ remaining: 7 })
    clock.shift = end - Date.now() + 201_000
    expect(await limiter.peek('ada')).toStrictEqual({ allowed: true, remaining: 10, resetAt: expect.any(Date), retryAfter: 0 })
  })

  test('is over in real time', async () => {
    const limiter = openLimiter(RateLimiter, { limit: 1, window: 0.3 })
    const { resetAt } = await limiter.consume('ada')
    expect(await allowed(limiter.consume('ada'))).toBe(false)
    while (Date.now() < resetAt.getTime()) await pass(10)
    expect(await allowed(limiter.consume('ada'))).toBe(true)
  })

  test('works in a namespace that refuses TTLs, which is reported once', async () => {
    if (!await hasNoTtlNamespace()) return
    const client = openSessions({ namespace: 'nottl' })
    const warnings = []
    client.on('warning', ({ code }) => warnings.push(code))
    const limiter = openLimiter(RateLimiter, { client, limit: 2, window: 1 })
    const results = [await limiter.consume('ada'), await limiter.consume('ada'), await limiter.consume('ada')]
    expect(results.map(result => result.allowed)).toStrictEqual([true, true, false])
    while (!(await limiter.peek('ada')).allowed) await pass(20)
    expect(await limiter.consume('ada', 2)).toMatchObject({ allowed: true })
    expect(warnings).toStrictEqual(['TTL_REFUSED'])
  })
})

describe('peek() and reset()', () => {
  test('peek consumes nothing', async () => {
    const limiter = openLimiter(RateLimiter, { limit: 2, window: 60 })
    const before = Date.now()
    const nothing = await limiter.peek('ada')
    expect(nothing).toMatchObject({ allowed: true, remaining: 2, retryAfter: 0 })
    expect(nothing.resetAt.getTime()).toBeGreaterThanOrEqual(before)
    expect(nothing.resetAt.getTime()).toBeLessThanOrEqual(Date.now())
    const { resetAt } = await limiter.consume('ada')
    for (let n = 0; n < 3; n++) expect(await limiter.peek('ada')).toStrictEqual({ allowed: true, remaining: 1, resetAt, retryAfter: 0 })
  })

  test('reset forgets a key, and says whether there was one', async () => {
    const limiter = openLimiter(RateLimiter, { limit: 1, window: 60 })
    expect(await limiter.reset('ada')).toBe(false)
    await limiter.consume('ada')
    await limiter.consume('bob')
    expect(await limiter.reset('ada')).toBe(true)
    expect(await allowed(limiter.consume('ada'))).toBe(true)
    expect(await allowed(limiter.consume('bob'))).toBe(false)
  })
})

describe('limiters on one client', () => {
  test('with different prefixes share no counter, whatever the keys are', async () => {
    const client = openSessions()
    const set = freshSet()
    const open = prefix => openLimiter(RateLimiter, { client, set, prefix, limit: 1, window: 60 })
    const [none, login, colon] = [open(''), open('login'), open('login:')]
    expect(await allowed(none.consume('login:ada'))).toBe(true)
    expect(await allowed(login.consume(':ada'))).toBe(true)
    expect(await allowed(colon.consume('ada'))).toBe(true)
    expect(await allowed(colon.consume('ada'))).toBe(false)
  })

  test('of two processes share their counters', async () => {
    const set = freshSet()
    const [one, other] = [0, 1].map(() => openLimiter(RateLimiter, { set, limit: 1, window: 60 }))
    expect(await allowed(one.consume('ada'))).toBe(true)
    expect(await allowed(other.consume('ada'))).toBe(false)
  })

  test('hash their keys with hashIds, and count apart from those that do not', async () => {
    const set = freshSet()
    const limits = [{}, { hashIds: 'a secret of some length' }, { hashIds: 'another secret of some length' }]
    for (const options of limits) {
      const client = openSessions(options)
      const limiter = openLimiter(RateLimiter, { client, set, limit: 1, window: 60 })
      expect(await allowed(limiter.consume('ada'))).toBe(true)
      expect(await allowed(limiter.consume('ada'))).toBe(false)
    }
  })

  test('do not close it, and take what it is closed for', async () => {
    const client = new SessionStore({ hosts: hosts() })
    const limiter = new RateLimiter({ client, limit: 1, window: 60, set: freshSet(), onError: 'allow' })
    expect(limiter.client).toBe(client)
    await limiter.close()
    expect(await client.has('nobody')).toBe(false)
    await client.close()
    expect(await caught(limiter.consume('ada'))).toMatchObject({ code: 'CLOSED' })
  })

  test('without a client have a connection of their own, which close() closes', async () => {
    const limiter = new RateLimiter({ hosts: hosts(), limit: 1, window: 60, set: freshSet() })
    await limiter.consume('ada')
    await limiter.reset('ada')
    await limiter.close()
    await limiter.close()
    expect(await caught(limiter.consume('ada'))).toMatchObject({ code: 'CLOSED' })
  })

  test('are counted by the method in stats()', async () => {
    const store = openStore()
    const limiter = openLimiter(RateLimiter, { client: store.client, limit: 1, window: 60 })
    await limiter.consume('ada')
    await limiter.consume('ada')
    await limiter.peek('ada')
    await limiter.reset('ada')
    await limiter.consume('').catch(() => {})
    const { operations } = store.stats()
    expect(operations).toMatchObject({ consume: { ok: 2, errors: { BAD_KEY: 1 } }, peek: { ok: 1, errors: {} }, reset: { ok: 1, errors: {} } })
    expect(limiter.stats()).toStrictEqual(store.stats())
  })
})

describe('callbacks', () => {
  const called = use => new Promise(resolve => { expect(use((...args) => resolve(args))).toBeUndefined() })

  test('receive what the promises do, once, in the context of the call', async () => {
    const limiter = openLimiter(RateLimiter, { limit: 2, window: 60 })
    const storage = new AsyncLocalStorage()
    const seen = await storage.run('mine', () => called(done => limiter.consume('ada', (...args) => done(...args, storage.getStore()))))
    expect(seen).toStrictEqual([null, { allowed: true, remaining: 1, resetAt: expect.any(Date), retryAfter: 0 }, 'mine'])
    expect(await called(done => limiter.consume('ada', 1, done))).toStrictEqual([null, expect.objectContaining({ remaining: 0 })])
    expect(await called(done => limiter.peek('ada', done))).toStrictEqual([null, expect.objectContaining({ allowed: false })])
    expect(await called(done => limiter.reset('ada', done))).toStrictEqual([null, true])
    expect(await called(done => limiter.consume('', done))).toStrictEqual([expect.objectContaining({ code: 'BAD_KEY' })])
    expect(await called(done => limiter.consume('ada', 3, done))).toStrictEqual([expect.objectContaining({ code: 'BAD_OPTION' })])
    expect(() => limiter.consume('ada', 1, 'no function')).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  })

  test.each([['allow', true, 1], ['deny', false, 0]])('receive what onError: %p decides', async (onError, isAllowed, remaining) => {
    const limiter = new RateLimiter({ hosts: '127.0.0.1:1', limit: 2, window: 60, connectTimeout: 200, timeout: 200, onError })
    const expected = { allowed: isAllowed, remaining, resetAt: expect.any(Date), retryAfter: isAllowed ? 0 : 1, error: expect.objectContaining({ code: 'UNAVAILABLE' }) }
    expect(await called(done => limiter.consume('ada', done))).toStrictEqual([null, expected])
    expect(await limiter.consume('ada')).toStrictEqual(expected)
    expect(await caught(limiter.peek('ada'))).toMatchObject({ code: 'UNAVAILABLE' })
    await limiter.close()
  })
})

describe('options', () => {
  const make = options => () => new RateLimiter(options)
  const refusal = words => expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining(words) })
  const client = openSessions({ set: 'sessions-of-limits' })
  const good = { client, limit: 5, window: 60 }

  test.each([
    [{ ...good, limit: undefined }, "'limit' is missing"],
    [{ ...good, window: undefined }, "'window' is missing"],
    [{ ...good, limit: 0 }, 'from 1 to 100000000'],
    [{ ...good, limit: '5' }, 'must be a number'],
    [{ ...good, window: 0 }, 'more than 0'],
    [{ ...good, window: 31_536_001 }, 'a year'],
    [{ ...good, window: '60' }, 'a number of seconds'],
    [{ ...good, type: 'slide' }, "'fixed' or 'sliding'"],
    [{ ...good, onError: 'ignore' }, "'allow' or 'deny'"],
    [{ ...good, prefix: 7 }, "'prefix' must be a string"],
    [{ ...good, prefix: undefined }, "'prefix' is undefined"],
    [{ ...good, client: undefined }, "'client' is undefined"],
    [{ ...good, set: 'a b' }, "'set' must be made of"],
    [{ ...good, set: 'sessions-of-limits' }, 'must not be the set of the sessions'],
    [{ ...good, hosts: 'localhost' }, "'hosts' belongs to the client"],
    [{ ...good, namespace: 'test' }, "'namespace' belongs to the client"],
    [{ ...good, hashIds: 'x'.repeat(16) }, "'hashIds' belongs to the client"],
    [{ ...good, widow: 60 }, "did you mean 'window'?"],
    [{ ...good, ttl: 60 }, "unknown option 'ttl'"],
    [{ ...good, client: {} }, "'client' must be a SessionStore"],
    [{ limit: 5, window: 60, timeout: 0 }, "'timeout'"],
    ['text', 'options must be an object']
  ])('%# is refused', (options, words) => {
    expect(make(options)).toThrow(refusal(words))
  })

  test('an AerospikeStore as the client is refused with what to give instead', async () => {
    const store = new AerospikeStore({ client })
    expect(make({ ...good, client: store })).toThrow(refusal('give its property `client`'))
    await store.close()
  })

  test('the other stores check theirs', () => {
    expect(() => new AerospikeRateLimitStore({ client, limit: 5 })).toThrow(refusal("unknown option 'limit'"))
    expect(() => new AerospikeRateLimitStore({ client, type: 'x' })).toThrow(refusal("'fixed' or 'sliding'"))
    expect(() => fastifyRateLimitStore({ client, type: 'fixed' })).toThrow(refusal("unknown option 'type'"))
  })
})
