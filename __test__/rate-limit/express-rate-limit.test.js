'use strict'

// express-rate-limit over HTTP, with the store.

const { once } = require('node:events')
const { setTimeout: pass } = require('node:timers/promises')
const express = require('express')
const { rateLimit } = require('express-rate-limit')
const { AerospikeRateLimitStore } = require('../../exports/rate-limit')
const { openLimiter } = require('../support/limits')
const { freshSet, hosts, openSessions } = require('../support/server')

const servers = []
afterAll(() => { for (const server of servers) { server.closeAllConnections(); server.close() } })

/** Starts a site. Returns a function that requests a page as a visitor of an address, and the errors of the site. */
async function site (options, store) {
  const app = express()
  app.set('trust proxy', 1)
  app.use(rateLimit({ windowMs: 60_000, limit: 2, standardHeaders: 'draft-7', legacyHeaders: true, store, validate: true, ...options }))
  app.get('/bad', (req, res) => res.status(400).end())
  app.get('/', (req, res) => res.json(req.rateLimit))
  app.use((error, req, res, next) => res.status(500).json({ code: error.code, inDoubt: error.inDoubt }))
  const server = app.listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return async (address, path = '/') => {
    const response = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { headers: { 'x-forwarded-for': address } })
    const text = await response.text()
    let body = text
    try { body = JSON.parse(text) } catch {}
    return { status: response.status, headers: response.headers, body }
  }
}

const openStore = options => openLimiter(AerospikeRateLimitStore, options)
const statuses = async (visit, address, times, path) => {
  const seen = []
  for (let n = 0; n < times; n++) seen.push((await visit(address, path)).status)
  return seen
}

test('requests beyond the limit are refused, with the headers of the package', async () => {
  const visit = await site({}, openStore())
  const first = await visit('192.0.2.1')
  expect(first.body).toMatchObject({ limit: 2, used: 1, remaining: 1 })
  expect(first.headers.get('x-ratelimit-remaining')).toBe('1')
  const reset = Number(first.headers.get('x-ratelimit-reset')) * 1_000
  expect(reset).toBeGreaterThan(Date.now() + 50_000)
  expect(reset).toBeLessThanOrEqual(Date.now() + 61_000)
  expect(await statuses(visit, '192.0.2.1', 3)).toStrictEqual([200, 429, 429])
  const refused = await visit('192.0.2.1')
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50)
  expect(await statuses(visit, '192.0.2.2', 1)).toStrictEqual([200])
})

test('requests at once are counted one by one', async () => {
  const visit = await site({ limit: 5 }, openStore())
  const seen = await Promise.all(Array.from({ length: 20 }, () => visit('192.0.2.1')))
  expect(seen.filter(({ status }) => status === 200).map(({ body }) => body.used).sort()).toStrictEqual([1, 2, 3, 4, 5])
  expect(seen.filter(({ status }) => status === 429)).toHaveLength(15)
})

test('two processes share the limit', async () => {
  const set = freshSet()
  const one = await site({}, openStore({ set }))
  const other = await site({}, openStore({ set }))
  expect([await statuses(one, '192.0.2.1', 1), await statuses(other, '192.0.2.1', 2)].flat()).toStrictEqual([200, 200, 429])
})

test('a window that has ended begins anew', async () => {
  const visit = await site({ windowMs: 300, limit: 1 }, openStore())
  const first = await visit('192.0.2.1')
  expect(first.status).toBe(200)
  while (Date.now() <= new Date(first.body.resetTime).getTime()) await pass(10)
  expect((await visit('192.0.2.1')).body).toMatchObject({ used: 1 })
})

test('skipFailedRequests and skipSuccessfulRequests take back the hit', async () => {
  const store = openStore()
  const failed = await site({ skipFailedRequests: true }, store)
  const taken = async (visit, path, n) => {
    expect(await statuses(visit, '192.0.2.1', 1, path)).toStrictEqual([path === '/' ? 200 : 400])
    for (;;) {
      const info = await store.get('192.0.2.1')
      if ((info?.totalHits ?? 0) === n) return
      await pass(5)
    }
  }
  await taken(failed, '/bad', 0)
  await taken(failed, '/', 1)
  await taken(failed, '/bad', 1)
  const succeeded = await site({ skipSuccessfulRequests: true }, openStore())
  for (let n = 0; n < 5; n++) {
    expect(await statuses(succeeded, '192.0.2.1', 1)).toStrictEqual([200])
    await pass(20)
  }
})

test('resetKey forgets one key, and resetAll those of the prefix', async () => {
  const client = openSessions()
  const set = freshSet()
  const store = openStore({ client, set, prefix: 'a:' })
  const other = openStore({ client, set, prefix: 'b:' })
  store.init({ windowMs: 60_000 })
  other.init({ windowMs: 60_000 })
  const keys = Array.from({ length: 50 }, (_, n) => `key-${n}`)
  for (const one of [store, other]) await Promise.all(keys.map(key => one.increment(key)))
  expect(await store.get('key-1')).toStrictEqual({ totalHits: 1, resetTime: expect.any(Date) })
  await store.resetKey('key-1')
  await store.resetKey('never seen')
  expect(await store.get('key-1')).toBeUndefined()
  expect(await store.get('key-2')).toMatchObject({ totalHits: 1 })
  await store.resetAll()
  expect(await Promise.all(keys.map(key => store.get(key)))).toStrictEqual(keys.map(() => undefined))
  expect(await Promise.all(keys.map(key => other.get(key)))).toStrictEqual(keys.map(() => ({ totalHits: 1, resetTime: expect.any(Date) })))
})

test('with sliding windows the hits before count in proportion', async () => {
  const store = openStore({ type: 'sliding' })
  store.init({ windowMs: 1_000 })
  for (let n = 0; n < 10; n++) await store.increment('ada')
  for (;;) {
    const info = await store.get('ada')
    expect(info.totalHits).toBeLessThanOrEqual(10)
    if (info.totalHits < 6) break
  }
})

test('if the cluster does not answer, passOnStoreError of the package decides', async () => {
  const dead = { hosts: '127.0.0.1:1', connectTimeout: 200, timeout: 200 }
  const stores = [0, 1].map(() => new AerospikeRateLimitStore(dead))
  const strict = await site({}, stores[0])
  expect(await strict('192.0.2.1')).toMatchObject({ status: 500, body: { code: 'UNAVAILABLE' } })
  const lenient = await site({ passOnStoreError: true, logger: { error () {}, warn () {} } }, stores[1])
  expect((await lenient('192.0.2.1')).status).toBe(200)
  for (const store of stores) await store.close()
})

test('express-rate-limit takes the store without a warning, and shutdown closes only its own connection', async () => {
  const logged = []
  const logger = { error: error => logged.push(error), warn: warning => logged.push(warning) }
  const client = openSessions()
  const store = openStore({ client })
  expect([store.localKeys, store.prefix]).toStrictEqual([false, 'express:'])
  const visit = await site({ logger }, store)
  expect(await statuses(visit, '192.0.2.1', 1)).toStrictEqual([200])
  expect(logged).toStrictEqual([])
  await store.shutdown()
  expect(await client.has('nobody')).toBe(false)
  const own = new AerospikeRateLimitStore({ hosts: hosts(), set: freshSet() })
  await own.shutdown()
  await expect(own.increment('ada')).rejects.toMatchObject({ code: 'CLOSED' })
})
