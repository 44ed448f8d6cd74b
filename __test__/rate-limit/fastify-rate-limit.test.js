'use strict'

// @fastify/rate-limit over HTTP, with the store.

const { setTimeout: pass } = require('node:timers/promises')
const fastify = require('fastify')
const plugin = require('@fastify/rate-limit')
const { fastifyRateLimitStore } = require('../../exports/rate-limit')
const { openLimiter } = require('../support/limits')
const { openSessions, freshSet } = require('../support/server')

const apps = []
afterAll(async () => { for (const app of apps) await app.close() })

/** Returns a class for the plugin, whose counters are removed afterwards. */
function openClass (options = {}) {
  let Class
  openLimiter(class { constructor (all) { Class = fastifyRateLimitStore({ ...all, prefix: '' }) } close () { return Class.close() } }, options)
  return Class
}

/** Starts a site. Returns a function that requests a page as a visitor of an address. */
async function site (options, routes = () => {}, store = openClass()) {
  const app = fastify({ trustProxy: true })
  apps.push(app)
  await app.register(plugin, { max: 2, timeWindow: 60_000, store, ...options })
  app.get('/', async () => 'page')
  await routes(app)
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const visit = async (address, path = '/') => {
    const response = await fetch(url + path, { headers: { 'x-forwarded-for': address } })
    return { status: response.status, headers: response.headers, body: await response.text() }
  }
  return Object.assign(visit, { app })
}

const statuses = async (visit, address, times, path) => {
  const seen = []
  for (let n = 0; n < times; n++) seen.push((await visit(address, path)).status)
  return seen
}

test('requests beyond the maximum are refused, with the headers of the plugin', async () => {
  const visit = await site()
  const first = await visit('192.0.2.1')
  expect(first.headers.get('x-ratelimit-limit')).toBe('2')
  expect(first.headers.get('x-ratelimit-remaining')).toBe('1')
  const reset = Number(first.headers.get('x-ratelimit-reset'))
  expect(reset).toBeGreaterThan(50)
  expect(reset).toBeLessThanOrEqual(60)
  expect(await statuses(visit, '192.0.2.1', 3)).toStrictEqual([200, 429, 429])
  expect(Number((await visit('192.0.2.1')).headers.get('retry-after'))).toBeGreaterThan(50)
  expect(await statuses(visit, '192.0.2.2', 1)).toStrictEqual([200])
})

test('two processes share the maximum', async () => {
  const set = freshSet()
  const one = await site({}, undefined, openClass({ set }))
  const other = await site({}, undefined, openClass({ set }))
  expect([await statuses(one, '192.0.2.1', 1), await statuses(other, '192.0.2.1', 2)].flat()).toStrictEqual([200, 200, 429])
})

test('a route with a maximum of its own has counters of its own', async () => {
  const visit = await site({}, app => {
    app.get('/few', { config: { rateLimit: { max: 1, timeWindow: '1 hour' } } }, async () => 'few')
    app.get('/other', { config: { rateLimit: { max: 1 } } }, async () => 'other')
    app.get('/free', { config: { rateLimit: false } }, async () => 'free')
  })
  expect(await statuses(visit, '192.0.2.1', 2, '/few')).toStrictEqual([200, 429])
  expect(Number((await visit('192.0.2.1', '/few')).headers.get('retry-after'))).toBeGreaterThan(3_000)
  expect(await statuses(visit, '192.0.2.1', 2, '/other')).toStrictEqual([200, 429])
  expect(await statuses(visit, '192.0.2.1', 5, '/free')).toStrictEqual([200, 200, 200, 200, 200])
  expect(await statuses(visit, '192.0.2.1', 3)).toStrictEqual([200, 200, 429])
})

test('a window that has ended begins anew', async () => {
  const visit = await site({ max: 1, timeWindow: 300 })
  expect(await statuses(visit, '192.0.2.1', 1)).toStrictEqual([200])
  await pass(310)
  expect(await statuses(visit, '192.0.2.1', 1)).toStrictEqual([200])
})

test('continueExceeding begins the window anew with each request beyond the maximum', async () => {
  const visit = await site({ max: 1, timeWindow: 800, continueExceeding: true })
  expect(await statuses(visit, '192.0.2.1', 1)).toStrictEqual([200])
  const began = performance.now()
  let refused = 0
  while (performance.now() - began < 1_600) {
    const { status } = await visit('192.0.2.1')
    // A machine that is so slow has let the window end.
    if (status === 429) refused++
    await pass(50)
  }
  expect(refused).toBeGreaterThan(5)
  await pass(900)
  expect(await statuses(visit, '192.0.2.1', 1)).toStrictEqual([200])
})

test('exponentialBackoff doubles the window', async () => {
  const visit = await site({ max: 1, timeWindow: 10_000, exponentialBackoff: true })
  await visit('192.0.2.1')
  const waits = []
  for (let n = 0; n < 4; n++) waits.push(Number((await visit('192.0.2.1')).headers.get('retry-after')))
  expect(waits).toStrictEqual([10, 20, 40, 80])
})

test('ban works', async () => {
  const visit = await site({ max: 1, ban: 1 })
  expect(await statuses(visit, '192.0.2.1', 4)).toStrictEqual([200, 429, 403, 403])
})

test('createRateLimit reads without counting, if it is asked to', async () => {
  const visit = await site({ global: false }, app => {
    const check = app.createRateLimit({ max: 2, timeWindow: 60_000 })
    app.get('/look', async req => check(req, { increment: false }))
    app.get('/count', async req => check(req))
  })
  const looked = async path => {
    const { max, remaining, isExceeded } = JSON.parse((await visit('192.0.2.1', path)).body)
    return [max, remaining, isExceeded]
  }
  expect(await looked('/look')).toStrictEqual([2, 2, false])
  expect(await looked('/count')).toStrictEqual([2, 1, false])
  expect(await looked('/look')).toStrictEqual([2, 1, false])
  expect(await looked('/count')).toStrictEqual([2, 0, false])
  expect(await looked('/count')).toStrictEqual([2, 0, true])
})

test('if the cluster does not answer, skipOnError of the plugin decides', async () => {
  const Class = fastifyRateLimitStore({ hosts: '127.0.0.1:1', connectTimeout: 200, timeout: 200 })
  expect((await (await site({}, undefined, Class))('192.0.2.1')).status).toBe(500)
  expect((await (await site({ skipOnError: true }, undefined, Class))('192.0.2.1')).status).toBe(200)
  await Class.close()
})

test('a shared client stays open, and a window that cannot be is an error', async () => {
  const client = openSessions()
  const Class = fastifyRateLimitStore({ client, set: freshSet() })
  const store = new Class({})
  const asked = (method, timeWindow) => new Promise(resolve => store[method]('ada', (...args) => resolve(args), timeWindow, 5))
  for (const method of ['incr', 'read']) {
    expect(await asked(method, 0)).toStrictEqual([expect.objectContaining({ code: 'BAD_OPTION' })])
    expect(await asked(method, 1e12)).toStrictEqual([expect.objectContaining({ code: 'BAD_OPTION' })])
  }
  await Class.close()
  expect(await client.has('nobody')).toBe(false)
})
