'use strict'

// Both supported Express versions: sessions over real HTTP, and typical problems with other stores.

const { once } = require('node:events')
const session = require('express-session')
const { AerospikeStore } = require('../..')
const { Gates } = require('../support/gates')
const { testRaces } = require('../support/framework-races')
const { freshSet, openStore } = require('../support/server')
const { Browser } = require('../support/site')

const servers = []

afterAll(async () => {
  for (const server of servers) {
    server.close()
    await once(server, 'close')
  }
})

async function openSite (express, options, sessionOptions = {}) {
  const store = options instanceof AerospikeStore ? options : openStore(options)
  const gates = new Gates()
  const app = express()
  app.use(session({ store, name: 'sid', secret: 'only for tests', resave: false, saveUninitialized: false, ...sessionOptions }))
  const answer = (req, res) => {
    const { cookie, ...data } = req.session
    res.json(data)
  }
  app.get('/put', (req, res, next) => {
    const { key, value, gate } = req.query
    gates.pass(gate).then(() => {
      req.session[key] = value
      answer(req, res)
    }).catch(next)
  })
  app.get('/take', (req, res) => {
    delete req.session[req.query.key]
    answer(req, res)
  })
  app.get('/session', answer)
  app.post('/login', (req, res, next) => req.session.regenerate(error => {
    if (error) return next(error)
    req.session.user = req.query.name
    answer(req, res)
  }))
  app.post('/logout', (req, res, next) => req.session.destroy(error => error ? next(error) : res.json({})))
  app.use((error, req, res, next) => {
    res.status(500).json({ code: error.code })
  })
  const server = app.listen(0)
  servers.push(server)
  await once(server, 'listening')
  return { url: `http://localhost:${server.address().port}`, gates, store }
}

describe.each([['4', require('express4')], ['5', require('express')]])('Express %s:', (version, express) => {
  testRaces('express-session', options => openSite(express, options))

  test('a session is valid in another process, and ends with the logout', async () => {
    const set = freshSet()
    const [one, other] = [await openSite(express, { set }), await openSite(express, { set })]
    const browser = new Browser()
    await browser.get(`${one.url}/put?key=a&value=1`)
    const before = browser.copy()
    expect((await browser.post(`${one.url}/login?name=ada`)).body).toEqual({ user: 'ada' })
    expect(browser.cookies.get('sid')).not.toBe(before.cookies.get('sid'))
    expect((await before.get(`${other.url}/session`)).body).toEqual({})
    expect((await browser.get(`${other.url}/session`)).body).toEqual({ user: 'ada' })
    await browser.post(`${other.url}/logout`)
    expect((await browser.get(`${one.url}/session`)).body).toEqual({})
  })

  test('a request renews the whole lifetime of a session', async () => {
    const { url, store } = await openSite(express, {}, { cookie: { maxAge: 1_800_000 } })
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    const sid = decodeURIComponent(browser.cookies.get('sid')).slice(2).split('.')[0]
    const loaded = await store.get(sid)
    loaded.cookie.expires = new Date(Date.now() + 60_000)
    await store.touch(sid, loaded)
    await browser.get(`${url}/session`)
    const { cookie } = await store.get(sid)
    expect(new Date(cookie.expires).getTime() - Date.now()).toBeGreaterThan(1_700_000)
  })

  test('an unreachable store is an error of the request, which the application handles', async () => {
    const { url } = await openSite(express, {})
    const away = await openSite(express, new AerospikeStore({ hosts: '127.0.0.1:1' }))
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    expect(await browser.get(`${away.url}/session`)).toMatchObject({ status: 500, body: { code: 'UNAVAILABLE' } })
  })
})
