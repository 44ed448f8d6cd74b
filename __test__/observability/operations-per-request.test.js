'use strict'

// Counts on the wire how many commands a request costs. The last test compares the counts with the table in
// docs/operations-per-request.md.

const fs = require('node:fs')
const path = require('node:path')
const { setTimeout: pass } = require('node:timers/promises')
const { once } = require('node:events')
const express = require('express')
const { rateLimit } = require('express-rate-limit')
const fastify = require('fastify')
const fastifyRateLimit = require('@fastify/rate-limit')
const { AerospikeStore, SessionStore, renew } = require('../..')
const { AerospikeRateLimitStore, RateLimiter, fastifyRateLimitStore } = require('../../exports/rate-limit')
const { serve, Visitor } = require('../support/http')
const { WireTap } = require('../support/wire-tap')

let tap
beforeAll(async () => { tap = await WireTap.start() })
afterAll(() => tap.stop())

function routes (app) {
  app.get('/read', (req, res) => res.json(req.session.n ?? null))
  app.get('/write', (req, res) => { req.session.n = (req.session.n ?? 0) + 1; res.json(req.session.n) })
  app.get('/save', (req, res, next) => {
    req.session.n = (req.session.n ?? 0) + 1
    req.session.save(error => error ? next(error) : res.json(req.session.n))
  })
  app.get('/login', (req, res, next) => req.session.regenerate(error => {
    if (error) return next(error)
    req.session.user = 'ada'
    req.session.save(error => error ? next(error) : res.json('ada'))
  }))
  app.get('/login-as', (req, res, next) => req.session.regenerate(error => {
    if (error) return next(error)
    req.session.userId = req.query.user
    req.session.save(error => error ? next(error) : res.json(req.query.user))
  }))
  app.get('/remember', (req, res) => { req.session.cookie.maxAge += 3_600_000; res.json(null) })
  app.get('/renew', (req, res, next) => renew(req).then(renewed => res.json(renewed), next))
  app.get('/logout', (req, res, next) => req.session.destroy(error => error ? next(error) : res.json(null)))
}

// [the request, the path, the commands by default, with touchAfter, with touchOnRead]
const REQUESTS = [
  ['looks around without a session', '/read', [], [], []],
  ['reads a page', '/read', ['read', 'write'], ['read'], ['read']],
  ['changes something', '/write', ['read', 'write'], ['read', 'write'], ['read', 'write']],
  ['changes something, and the page waits for save()', '/save', ['read', 'write'], ['read', 'write'], ['read', 'write']],
  ['only changes how long the cookie lives', '/remember', ['read', 'write'], ['read', 'write'], ['read', 'write']],
  ['logs in: regenerate() and save()', '/login', ['read', 'delete', 'write'], ['read', 'delete', 'write'], ['read', 'delete', 'write']],
  ['logs out', '/logout', ['read', 'delete'], ['read', 'delete'], ['read', 'delete']],
  ['renews its id: renew()', '/renew', ['read', 'write', 'write'], ['read', 'write', 'write'], ['read', 'write', 'write']],
  ['reads a page with an old id', 'old /read', ['read', 'read', 'write'], ['read', 'read'], ['read', 'read']],
  ['changes something with an old id', 'old /write', ['read', 'read', 'write'], ['read', 'read', 'write'], ['read', 'read', 'write']],
  ['logs out with an old id', 'old /logout', ...Array(3).fill(['read', 'read', 'delete', 'read', 'write', 'delete'])]
]

// [the request, how many sessions the user has before, the commands with maxSessionsPerUser: 2]
const LIMITED = [
  ['logs in, and has fewer sessions than the limit', 1, ['read', 'delete', 'write', 'query']],
  ['logs in, and has as many sessions as the limit', 2, ['read', 'delete', 'write', 'query', 'delete']]
]

// A page that takes a second correctly costs more: its session's expiry has moved by then, or an attempt timed out. If the
// machine was that slow, the page is counted again.
async function unhurried (visit) {
  for (;;) {
    const start = performance.now()
    const seen = await visit()
    if (performance.now() - start < 500) return seen
  }
}

const OPTIONS = [
  ['by default', {}],
  ['with touchAfter: 60', { touchAfter: 60 }],
  ['with touchOnRead: 80', { touchOnRead: 80 }]
]

describe.each(OPTIONS.map(([name, options], index) => [name, options, index + 2]))('%s', (name, options, column) => {
  let store, app
  beforeAll(async () => {
    store = new AerospikeStore({ hosts: tap.hosts, set: `ops-${column}`, ...options })
    app = await serve(store, routes, { cookie: { maxAge: 600_000 } })
    await store.ready()
  })
  afterAll(async () => {
    await app.stop()
    await store.close()
  })

  test.each(REQUESTS.map(request => [request[0], request]))('a visitor who %s', async (_, request) => {
    const [, place, ...expected] = request
    const visit = async () => {
      let visitor = new Visitor(app.url)
      if (expected[0].length > 0) await visitor.get('/write')
      const path = place.replace('old ', '')
      if (path !== place) {
        const old = new Visitor(app.url)
        old.cookies = new Map(visitor.cookies)
        await visitor.get('/renew')
        visitor = old
      }
      return tap.during(async () => {
        expect((await visitor.get(path)).status).toBe(200)
      })
    }
    expect(await unhurried(visit)).toStrictEqual(expected[column - 2])
  })
})

describe('with maxSessionsPerUser', () => {
  let store, app
  beforeAll(async () => {
    store = new AerospikeStore({ hosts: tap.hosts, set: 'ops-limit', user: 'userId', maxSessionsPerUser: 2 })
    app = await serve(store, routes, { cookie: { maxAge: 600_000 } })
    await store.ready()
  })
  afterAll(async () => {
    await app.stop()
    await store.close()
  })

  let users = 0
  const logins = async before => {
    const user = `user-${++users}`
    for (let n = 0; n < before; n++) await new Visitor(app.url).get(`/login-as?user=${user}`)
    const visitor = new Visitor(app.url)
    await visitor.get('/write')
    const commands = await tap.during(async () => {
      expect((await visitor.get(`/login-as?user=${user}`)).status).toBe(200)
    })
    const later = await tap.during(async () => {
      for (const path of ['/write', '/read', '/save']) await visitor.get(path)
    })
    return { commands, later }
  }

  test.each(LIMITED)('a visitor who %s', async (_, before, expected) => {
    const { commands, later } = await unhurried(() => logins(before))
    expect(commands).toStrictEqual(expected)
    // Requests of a visitor who is logged in cost nothing more.
    expect(later).toStrictEqual(['read', 'write', 'read', 'write', 'read', 'write'])
  })
})

test('a touch is written after touchAfter has passed', async () => {
  const store = new AerospikeStore({ hosts: tap.hosts, set: 'ops-after', touchAfter: 0.3 })
  const app = await serve(store, routes, { cookie: { maxAge: 600_000 } })
  const visitor = new Visitor(app.url)
  await visitor.get('/write')
  expect(await tap.during(() => visitor.get('/read'))).toStrictEqual(['read'])
  await pass(350)
  expect(await tap.during(() => visitor.get('/read'))).toStrictEqual(['read', 'write'])
  await app.stop()
  await store.close()
})

test('a watched session costs one read at first, one at its end, and none for a removal by the same process', async () => {
  const store = new AerospikeStore({ hosts: tap.hosts, set: 'ops-watch', watchInterval: 3_600 })
  const watched = async (sid, act) => {
    const signals = [store.watch(sid).signal, store.watch(sid).signal]
    await Promise.all([act(), ...signals.map(signal => new Promise(resolve => signal.addEventListener('abort', resolve)))])
    return signals.map(({ reason }) => reason)
  }
  const cookie = life => ({ cookie: { originalMaxAge: life, expires: new Date(Date.now() + life), path: '/' } })
  await store.set('a', cookie(600_000))
  const removed = await tap.during(async () => {
    expect(await watched('a', async () => {
      await pass(300)
      await store.destroy('a')
    })).toEqual(['gone', 'gone'])
  })
  expect(removed).toStrictEqual(['read', 'delete'])
  await store.set('b', cookie(1_000))
  const expired = await tap.during(async () => {
    expect(await watched('b', async () => {})).toEqual(['expired', 'expired'])
  })
  expect(expired).toStrictEqual(['read', 'read'])
  await store.close()
})

// [the request, the commands, what makes it]
const LIMITS = [
  ['that a RateLimiter allows or refuses: consume()', ['write'], ({ limiter }) => limiter.consume('ada')],
  ['to a page behind express-rate-limit', ['write'], ({ express }) => fetch(`${express}/limited`)],
  ['to a page behind express-rate-limit with skipSuccessfulRequests', ['write', 'write'], async ({ express, store }) => {
    await fetch(`${express}/skipping`)
    // The hit is taken back after the response.
    while (store.stats().operations.decrement === undefined) await pass(5)
  }],
  ['to a page behind @fastify/rate-limit', ['write'], ({ fastify }) => fetch(fastify)],
  ['that looks at a limit: peek()', ['read'], ({ limiter }) => limiter.peek('ada')],
  ['that resets a limit: reset()', ['delete'], ({ limiter }) => limiter.reset('ada')]
]

describe('with rate limits', () => {
  const sites = {}
  const ends = []
  beforeAll(async () => {
    const client = new SessionStore({ hosts: tap.hosts })
    ends.push(() => client.close())
    await client.ready()
    const stored = prefix => new AerospikeRateLimitStore({ client, prefix })
    const app = express()
    sites.store = stored('skipping:')
    app.use('/limited', rateLimit({ limit: 1, store: stored('limited:') }))
    app.use('/skipping', rateLimit({ skipSuccessfulRequests: true, store: sites.store }))
    app.use((req, res) => res.end())
    const server = app.listen(0, '127.0.0.1')
    ends.push(() => server.close())
    await once(server, 'listening')
    sites.express = `http://127.0.0.1:${server.address().port}`
    const other = fastify()
    ends.push(() => other.close())
    await other.register(fastifyRateLimit, { max: 1, store: fastifyRateLimitStore({ client }) })
    other.get('/', async () => 'page')
    sites.fastify = await other.listen({ port: 0, host: '127.0.0.1' })
    sites.limiter = new RateLimiter({ client, limit: 1, window: 60 })
  })
  afterAll(async () => { for (const end of ends.reverse()) await end() })

  test.each(LIMITS)('a request %s', async (_, expected, make) => {
    const commands = await unhurried(() => tap.during(() => make(sites)))
    expect(commands).toStrictEqual(expected)
    // And the same if it is refused.
    if (expected.join() === 'write') expect(await unhurried(() => tap.during(() => make(sites)))).toStrictEqual(expected)
  })
})

test('the table in docs/operations-per-request.md has these counts', () => {
  const docs = fs.readFileSync(path.join(__dirname, '../../docs/operations-per-request.md'), 'utf8')
  const words = commands => commands.length === 0 ? 'nothing' : commands.join(', ')
  for (const [what, , ...columns] of REQUESTS) {
    expect(docs).toContain(`| ${what} | ${columns.map(words).join(' | ')} |`)
  }
  for (const [what, commands] of LIMITS) expect(docs).toContain(`| ${what} | ${words(commands)} |`)
  for (const [what, , commands] of LIMITED) expect(docs).toContain(`| ${what} | ${words(commands)} |`)
})
