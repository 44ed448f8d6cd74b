'use strict'

// koa-session on a real server, and koa-generic-session's contract with a store.

const { once } = require('node:events')
const Koa = require('koa')
const { createSession } = require('koa-session')
const { AerospikeStore } = require('../..')
const { HonoStore } = require('../../exports/hono')
const { KoaStore } = require('../../exports/koa')
const { ReactRouterStore } = require('../../exports/react-router')
const { Gates } = require('../support/gates')
const { testRaces } = require('../support/framework-races')
const { openStore, freshSet, hosts } = require('../support/server')
const { Browser, testExample } = require('../support/site')

const HALF_AN_HOUR = 1_800_000

const servers = []
const stores = []

afterAll(async () => {
  for (const server of servers) {
    server.close()
    await once(server, 'close')
  }
  for (const store of stores) await store.close()
})

function openKoaStore (options = {}) {
  const set = freshSet()
  openStore({ set }) // removes the sessions afterwards
  const store = new KoaStore({ hosts: hosts(), set, ...options })
  stores.push(store)
  return store
}

/** A site with koa-session. */
async function openSite (options = {}, sessionOptions = {}) {
  const koaStore = openKoaStore(options)
  const gates = new Gates()
  const app = new Koa()
  app.keys = ['only for tests']
  app.use(createSession({ store: koaStore, key: 'sid', ...sessionOptions }, app))
  app.use(async ctx => {
    const { key, value, gate } = ctx.query
    if (ctx.path === '/put') {
      await gates.pass(gate)
      ctx.session[key] = value
    }
    if (ctx.path === '/take') delete ctx.session[key]
    if (ctx.path === '/logout') ctx.session = null
    ctx.body = ctx.session?.toJSON() ?? {}
  })
  const server = app.listen(0)
  servers.push(server)
  await once(server, 'listening')
  return { url: `http://localhost:${server.address().port}`, gates, koaStore, store: koaStore.store, app }
}

testExample('examples/koa/app.js')
testRaces('koa-session', options => openSite(options))

describe('koa-session:', () => {
  const leftOf = async store => {
    const [session] = await store.all()
    return new Date(session.cookie.expires).getTime() - Date.now()
  }
  const shorten = async (store, browser) => {
    const session = await store.get(browser.cookies.get('sid'))
    session.cookie.expires = new Date(Date.now() + 60_000)
    await store.touch(browser.cookies.get('sid'), session)
  }

  test('a login ends the sessions of the user beyond maxSessionsPerUser', async () => {
    const { url, store } = await openSite({ user: 'userId', maxSessionsPerUser: 1 })
    await store.createUserIndex()
    const [phone, laptop] = [new Browser(), new Browser()]
    for (const browser of [phone, laptop]) await browser.get(`${url}/put?key=userId&value=ada`)
    await laptop.get(`${url}/put?key=n&value=1`)
    expect((await phone.get(`${url}/`)).body).toEqual({})
    expect((await laptop.get(`${url}/`)).body).toEqual({ userId: 'ada', n: '1' })
  })

  test('a session lives for ten seconds longer than its maxAge, as koa-session requests', async () => {
    const { url, store } = await openSite({}, { maxAge: HALF_AN_HOUR })
    await new Browser().get(`${url}/put?key=a&value=1`)
    const left = await leftOf(store)
    expect(left).toBeLessThanOrEqual(HALF_AN_HOUR + 10_000)
    expect(left).toBeGreaterThan(HALF_AN_HOUR - 10_000)
  })

  test("with maxAge 'session' it lives for the store's ttl, and the cookie until the browser closes", async () => {
    const { url, store } = await openSite({}, { maxAge: 'session' })
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    expect(browser.expires.get('sid')).toBeUndefined()
    const [session] = await store.all()
    expect(session).toMatchObject({ a: '1', _session: true })
    await browser.get(`${url}/put?key=b&value=2`)
    expect((await browser.get(`${url}/session`)).body).toEqual({ a: '1', b: '2' })
  })

  test('with rolling, each request renews the whole lifetime of a session', async () => {
    const { url, store } = await openSite({}, { maxAge: HALF_AN_HOUR, rolling: true })
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    await shorten(store, browser)
    expect(await leftOf(store)).toBeLessThanOrEqual(60_000)
    expect((await browser.get(`${url}/session`)).body).toEqual({ a: '1' })
    expect(await leftOf(store)).toBeGreaterThan(HALF_AN_HOUR - 10_000)
  })

  test('without rolling, a request that changes nothing writes nothing', async () => {
    const { url, store } = await openSite({}, { maxAge: HALF_AN_HOUR })
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    await shorten(store, browser)
    expect((await browser.get(`${url}/session`)).body).toEqual({ a: '1' })
    expect(await leftOf(store)).toBeLessThanOrEqual(60_000)
  })

  test('a session keeps its own maxAge', async () => {
    const koaStore = openKoaStore()
    await koaStore.set('id', { a: 1, _maxAge: 5_000, _expire: 123 }, 15_000, {})
    expect(await koaStore.get('id', 5_000, {})).toEqual({ a: 1, _maxAge: 5_000, _expire: 123 })
  })

  test('a request can store a session again after it removed it', async () => {
    const koaStore = openKoaStore()
    const ctx = {}
    await koaStore.set('id', { a: 1 }, 15_000, { ctx })
    await koaStore.destroy('id', { ctx })
    await koaStore.set('id', { b: 2 }, 15_000, { ctx })
    expect(await koaStore.get('id')).toEqual({ b: 2 })
  })
})

describe('the store alone:', () => {
  const store = openKoaStore()

  test('a missing session is null, and can be removed', async () => {
    expect(await store.get('none')).toBeNull()
    expect(await store.destroy('none')).toBeUndefined()
  })

  test.each([[undefined], [null], ['session'], [0], [NaN], [Infinity]])('with maxAge %p a session lives for ttl', async maxAge => {
    await store.set('id', { a: 1 }, maxAge)
    expect(await store.get('id')).toEqual({ a: 1 })
    const brief = new KoaStore({ client: store.store.client, ttl: 0.1 })
    await brief.set('id', { a: 1 }, maxAge)
    for (;;) if (await store.get('id') === null) break
  })

  test('a ttl function applies to every maxAge', async () => {
    const asked = []
    const decided = new KoaStore({ client: store.store.client, ttl: (data, id) => { asked.push([data.a, id]); return 0 } })
    await store.set('id', { a: 1 }, 60_000)
    await decided.set('id', { a: 2 }, 60_000)
    expect(asked).toEqual([[2, 'id']])
    expect(await store.get('id')).toBeNull()
  })

  test('a session expires after its maxAge, and one below 0 removes it', async () => {
    await store.set('id', { a: 1 }, 60_000)
    expect(await store.get('id')).toEqual({ a: 1 })
    await store.set('id', { a: 1 }, 50)
    for (;;) if (await store.get('id') === null) break
    await store.set('id', { a: 1 }, 60_000)
    await store.set('id', { a: 1 }, -1)
    expect(await store.get('id')).toBeNull()
  })

  test('keys may have any name', async () => {
    const data = JSON.parse('{"cookie":{"path":"/"},"~cookie":1,"~~cookie":2,"__proto__":{"a":1},"~":3,"":4,"id":5}')
    await store.set('names', data, 60_000)
    const found = await store.get('names')
    expect(JSON.stringify(Object.entries(found).sort())).toBe(JSON.stringify(Object.entries(data).sort()))
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
    await store.set('names', { cookie: 'now text' }, 60_000)
    expect(await store.get('names')).toEqual({ cookie: 'now text' })
  })

  test('a session of koa-generic-session, which passes no context, is merged by its object', async () => {
    const cookie = { path: '/', httpOnly: true, maxAge: 86_400_000, expires: '2099-01-01T00:00:00.000Z' }
    await store.set('generic', { cookie, a: 1 }, 60_000)
    const [one, two, three] = [await store.get('generic'), await store.get('generic'), await store.get('generic')]
    expect(one).toEqual({ cookie, a: 1 })
    one.b = 2
    await store.set('generic', one, 60_000)
    two.c = 3
    await store.set('generic', two, 60_000)
    expect(await store.get('generic')).toEqual({ cookie, a: 1, b: 2, c: 3 })
    await store.destroy('generic')
    await store.set('generic', three, 60_000)
    expect(await store.get('generic')).toBeNull()
  })

  test('a session of one framework is found by the others, with its expiry', async () => {
    const { client } = store.store
    const hono = new HonoStore({ client })
    const router = new ReactRouterStore({ client })
    await store.set('shared', { user: 'ada' }, 60_000)
    const { cookie, ...data } = await new AerospikeStore({ client }).get('shared')
    expect(data).toEqual({ user: 'ada' })
    expect(await hono.getSessionById('shared')).toMatchObject({ _data: { user: { value: 'ada' } }, _expire: cookie.expires })
    expect(await router.readData('shared')).toEqual({ user: 'ada' })
    await router.updateData('shared', { user: 'grace' })
    expect(await store.get('shared')).toEqual({ user: 'grace' })
  })

  test('a client can be shared, and stays open', async () => {
    const client = openStore().client
    const lent = new KoaStore({ client, prefix: 'koa:' })
    await lent.set('id', { a: 1 })
    await lent.close()
    expect(await new KoaStore({ client, prefix: 'koa:' }).get('id')).toEqual({ a: 1 })
    expect(await client.has('koa:id')).toBe(false)
  })

  test('options without a meaning here are rejected with a message', () => {
    expect(() => new KoaStore({ whenDown: 'anonymous' })).toThrow("unknown option 'whenDown'")
    expect(() => new KoaStore({ prefx: 'a' })).toThrow("did you mean 'prefix'?")
  })

  test('an unreachable store fails, and does not report a missing session', async () => {
    const away = openKoaStore({ hosts: '127.0.0.1:1' })
    await expect(away.get('id')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(away.set('id', {})).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})
