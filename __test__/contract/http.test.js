'use strict'

// A visitor of a real Express app.

const { setTimeout: pass } = require('node:timers/promises')
const { MemoryStore } = require('express-session')
const { AerospikeStore } = require('../..')
const { hosts, freshSet, openStore } = require('../support/server')
const { serve, Visitor } = require('../support/http')

/** A small shop for the tests below. */
function routes (app) {
  app.get('/', (req, res) => res.json({ user: req.session.user ?? null, visits: req.session.visits ?? 0, cart: req.session.cart ?? [] }))
  app.get('/login/:name', (req, res, next) => {
    req.session.regenerate(error => {
      if (error) return next(error)
      req.session.user = req.params.name
      req.session.save(error => error ? next(error) : res.json({ user: req.session.user }))
    })
  })
  app.get('/visit', (req, res) => {
    req.session.visits = (req.session.visits ?? 0) + 1
    res.json({ visits: req.session.visits })
  })
  app.get('/add/:sku', (req, res) => {
    req.session.cart = [...(req.session.cart ?? []), { sku: req.params.sku, n: 1 }]
    res.json(req.session.cart)
  })
  app.get('/drop-cart', (req, res) => { delete req.session.cart; res.json(null) })
  app.get('/remember', (req, res) => { req.session.cookie.maxAge = 3_600_000; res.json(null) })
  app.get('/cookie', (req, res) => res.json({ maxAge: req.session.cookie.maxAge, original: req.session.cookie.originalMaxAge }))
  app.get('/id', (req, res) => res.json(req.sessionID))
  app.get('/reload', (req, res, next) => {
    req.session.user = 'not saved'
    req.session.reload(error => error ? next(error) : res.json({ user: req.session.user }))
  })
  app.get('/logout', (req, res, next) => req.session.destroy(error => error ? next(error) : res.json(null)))
  app.get('/logout-carelessly', (req, res) => { req.session.destroy(); res.json(null) })
}

const running = []
async function open (store, options) {
  const app = await serve(store, routes, options)
  running.push(app)
  return { app, visitor: new Visitor(app.url) }
}

afterAll(async () => {
  for (const app of running) await app.stop()
})

describe('a visitor', () => {
  const store = openStore()
  let app
  beforeAll(async () => { ({ app } = await open(store)) })
  afterAll(() => expect(app.errors).toStrictEqual([]))

  test('who only reads leaves no session behind', async () => {
    const before = await store.length()
    const visitor = new Visitor(app.url)
    await visitor.get('/')
    expect(visitor.cookies.size).toBe(0)
    expect(await store.length()).toBe(before)
  })

  test('logs in, fills a cart, and is still logged in on the next page', async () => {
    const visitor = new Visitor(app.url)
    await visitor.get('/login/ada')
    await visitor.get('/add/apple')
    await visitor.get('/add/pear')
    expect((await visitor.get('/')).body).toStrictEqual({ user: 'ada', visits: 0, cart: [{ sku: 'apple', n: 1 }, { sku: 'pear', n: 1 }] })
  })

  test('loses only the data that the app deletes', async () => {
    const visitor = new Visitor(app.url)
    await visitor.get('/login/ada')
    await visitor.get('/add/apple')
    await visitor.get('/drop-cart')
    expect((await visitor.get('/')).body).toStrictEqual({ user: 'ada', visits: 0, cart: [] })
  })

  test('is counted correctly over many pages', async () => {
    const visitor = new Visitor(app.url)
    for (let n = 1; n <= 10; n++) expect((await visitor.get('/visit')).body.visits).toBe(n)
  })

  test('gets a new session id with a login, and the old id is no longer valid', async () => {
    const visitor = new Visitor(app.url)
    await visitor.get('/visit')
    const thief = new Visitor(app.url)
    thief.cookies = new Map(visitor.cookies)
    const old = (await visitor.get('/id')).body
    await visitor.get('/login/ada')
    expect((await visitor.get('/id')).body).not.toBe(old)
    expect((await thief.get('/')).body).toStrictEqual({ user: null, visits: 0, cart: [] })
  })

  test('is logged out for all copies of the cookie, permanently', async () => {
    const visitor = new Visitor(app.url)
    await visitor.get('/login/ada')
    const cookies = new Map(visitor.cookies)
    expect((await visitor.get('/logout')).status).toBe(200)
    visitor.cookies = cookies
    expect((await visitor.get('/')).body.user).toBeNull()
  })

  test('can be logged out without a callback', async () => {
    const visitor = new Visitor(app.url)
    await visitor.get('/login/ada')
    const cookies = new Map(visitor.cookies)
    await visitor.get('/logout-carelessly')
    visitor.cookies = cookies
    expect((await visitor.get('/')).body.user).toBeNull()
  })

  test('can log out twice without an error', async () => {
    const visitor = new Visitor(app.url)
    await visitor.get('/login/ada')
    const twice = new Visitor(app.url)
    twice.cookies = new Map(visitor.cookies)
    expect((await visitor.get('/logout')).status).toBe(200)
    expect((await twice.get('/logout')).status).toBe(200)
  })

  test('with an invented cookie is a new visitor', async () => {
    const visitor = new Visitor(app.url)
    visitor.cookies.set('connect.sid', { value: 's%3Amade-up.signature' })
    expect((await visitor.get('/visit')).body.visits).toBe(1)
  })

  test('sees the stored session after a reload', async () => {
    const visitor = new Visitor(app.url)
    await visitor.get('/login/ada')
    expect((await visitor.get('/reload')).body.user).toBe('ada')
  })
})

describe("the lifetime of a visitor's session", () => {
  test('is renewed by every page, and ends without pages', async () => {
    const { visitor } = await open(openStore(), { cookie: { maxAge: 1_200 }, rolling: true })
    await visitor.get('/visit')
    for (let n = 0; n < 3; n++) {
      await pass(600)
      expect((await visitor.get('/')).body.visits).toBe(1)
    }
    await pass(1_250)
    expect((await visitor.get('/')).body.visits).toBe(0)
  })

  test('is the ttl if the cookie has no maxAge', async () => {
    const { visitor } = await open(openStore({ ttl: 0.5 }))
    await visitor.get('/visit')
    await pass(300)
    expect((await visitor.get('/')).body.visits).toBe(1)
    await pass(300)
    expect((await visitor.get('/')).body.visits).toBe(1)
    await pass(520)
    expect((await visitor.get('/')).body.visits).toBe(0)
  })

  test('follows "remember me", also on later pages', async () => {
    const { visitor } = await open(openStore(), { cookie: { maxAge: 60_000 } })
    await visitor.get('/login/ada')
    await visitor.get('/remember')
    const { body } = await visitor.get('/cookie')
    // express-session computes it from a date, and sometimes loses a millisecond.
    expect(body.original).toBeGreaterThan(3_599_900)
    expect(body.maxAge).toBeGreaterThan(3_500_000)
  })
})

describe('an app', () => {
  test('that restarts keeps its visitors logged in', async () => {
    const set = freshSet()
    const first = await open(new AerospikeStore({ hosts: hosts(), set }))
    await first.visitor.get('/login/ada')
    await first.visitor.get('/add/apple')
    await first.app.stop()
    running.splice(running.indexOf(first.app), 1)

    const second = await open(openStore({ set }))
    first.visitor.url = second.app.url
    expect((await first.visitor.get('/')).body).toStrictEqual({ user: 'ada', visits: 0, cart: [{ sku: 'apple', n: 1 }] })
  })

  test('of two processes behind a load balancer behaves like one app', async () => {
    const set = freshSet()
    const apps = [await open(openStore({ set })), await open(openStore({ set }))]
    const visitor = new Visitor()
    for (let n = 1; n <= 8; n++) {
      visitor.url = apps[n % 2].app.url
      expect((await visitor.get('/visit')).body.visits).toBe(n)
    }
  })

  test('behaves as with MemoryStore for each request', async () => {
    const clicks = ['/', '/visit', '/login/ada', '/add/a', '/visit', '/drop-cart', '/', '/remember', '/reload', '/logout', '/', '/visit', '/']
    const seen = await Promise.all([openStore(), new MemoryStore()].map(async store => {
      const { visitor } = await open(store, { cookie: { maxAge: 60_000 } })
      const answers = []
      for (const click of clicks) answers.push(await visitor.get(click))
      return answers
    }))
    expect(seen[0]).toStrictEqual(seen[1])
  })
})
