'use strict'

// React Router's createSessionStorage, in loaders and actions on a real server, and its contract with a store.

const http = require('node:http')
const { once } = require('node:events')
const { createCookie, createSessionStorage, createStaticHandler } = require('react-router')
const { ReactRouterStore } = require('../../exports/react-router')
const { Gates } = require('../support/gates')
const { testRaces } = require('../support/framework-races')
const { freshSet, hosts, openStore } = require('../support/server')
const { Browser, testExample } = require('../support/site')

const COOKIE = { name: 'sid', secrets: ['only for tests'], path: '/' }

const servers = []
const stores = []

afterAll(async () => {
  for (const server of servers) {
    server.close()
    await once(server, 'close')
  }
  for (const store of stores) await store.close()
})

function openRouterStore (options = {}) {
  const set = freshSet()
  openStore({ set }) // removes the sessions afterwards
  const store = new ReactRouterStore({ hosts: hosts(), set, ...options })
  stores.push(store)
  return store
}

/** Starts a site. `make` creates the session storage from its store. */
async function openSite (options = {}, make = store => store.guard(createSessionStorage({ cookie: COOKIE, ...store }))) {
  const store = openRouterStore(options)
  const { getSession, commitSession, destroySession } = make(store)
  const gates = new Gates()
  const changing = change => async ({ request }) => {
    const session = await getSession(request.headers.get('Cookie'))
    const query = Object.fromEntries(new URL(request.url).searchParams)
    await change(session, query)
    return Response.json(session.data, { headers: { 'Set-Cookie': await commitSession(session) } })
  }
  const { queryRoute } = createStaticHandler([
    {
      path: '/put',
      loader: changing(async (session, { key, value, gate }) => {
        await gates.pass(gate)
        session.set(key, value)
      })
    },
    { path: '/take', loader: changing((session, { key }) => session.unset(key)) },
    { path: '/session', loader: async ({ request }) => Response.json((await getSession(request.headers.get('Cookie'))).data) },
    {
      path: '/logout',
      action: async ({ request }) => {
        const session = await getSession(request.headers.get('Cookie'))
        return new Response(null, { headers: { 'Set-Cookie': await destroySession(session) } })
      }
    }
  ])
  const server = http.createServer(async ({ method, url, headers }, res) => {
    const response = await queryRoute(new Request(`http://localhost${url}`, { method, headers }))
    res.writeHead(response.status, [...response.headers].flat())
    res.end(await response.text())
  }).listen(0)
  servers.push(server)
  await once(server, 'listening')
  return { url: `http://localhost:${server.address().port}`, gates, store: store.store }
}

testExample('examples/react-router/app.js')
testRaces('React Router, guarded', options => openSite(options))

describe('React Router:', () => {
  test('without a guard, the last of two requests wins, as with any other store', async () => {
    const { url, gates } = await openSite({}, store => createSessionStorage({ cookie: COOKIE, ...store }))
    const browser = new Browser()
    await browser.get(`${url}/put?key=first&value=1`)
    const slow = browser.get(`${url}/put?key=slow&value=2&gate=slow`)
    await gates.arrived('slow')
    await browser.get(`${url}/put?key=fast&value=3`)
    gates.open('slow')
    await slow
    expect((await browser.get(`${url}/session`)).body).toEqual({ first: '1', slow: '2' })
  })

  test('a visitor whose session has expired gets a new one under the same id', async () => {
    const store = openRouterStore()
    const { getSession, commitSession } = store.guard(createSessionStorage({ cookie: COOKIE, ...store }))
    const session = await getSession()
    session.set('user', 'ada')
    const cookie = await commitSession(session)
    await store.store.clear()
    const late = await getSession(cookie)
    expect(late.data).toEqual({})
    late.set('user', 'grace')
    await commitSession(late)
    expect((await getSession(cookie)).data).toEqual({ user: 'grace' })
  })

  test('a session can be committed more than once', async () => {
    const store = openRouterStore()
    const { getSession, commitSession } = store.guard(createSessionStorage({ cookie: COOKIE, ...store }))
    const first = await getSession()
    first.set('a', 1)
    const cookie = await commitSession(first)
    const session = await getSession(cookie)
    session.set('b', 2)
    await commitSession(session)
    session.unset('a')
    await commitSession(session)
    expect((await getSession(cookie)).data).toEqual({ b: 2 })
  })

  test('committing a destroyed session does not restore it', async () => {
    const store = openRouterStore()
    const { getSession, commitSession, destroySession } = store.guard(createSessionStorage({ cookie: COOKIE, ...store }))
    const cookie = await commitSession(await getSession())
    const session = await getSession(cookie)
    await destroySession(session)
    session.set('a', 1)
    await commitSession(session)
    expect((await getSession(cookie)).data).toEqual({})
    expect(await store.store.length()).toBe(0)
  })

  test('a flash value exists for one request', async () => {
    const store = openRouterStore()
    const { getSession, commitSession } = store.guard(createSessionStorage({ cookie: COOKIE, ...store }))
    const first = await getSession()
    first.flash('news', 'saved')
    const cookie = await commitSession(first)
    const second = await getSession(cookie)
    expect(second.get('news')).toBe('saved')
    await commitSession(second)
    expect((await getSession(cookie)).get('news')).toBeUndefined()
  })

  test('a session lives as long as its cookie, or as commitSession says', async () => {
    const store = openRouterStore()
    const storage = store.guard(createSessionStorage({ cookie: createCookie('sid', { ...COOKIE, maxAge: 1_800 }), ...store }))
    const left = async () => {
      const [{ cookie }] = await store.store.all()
      return new Date(cookie.expires).getTime() - Date.now()
    }
    const cookie = await storage.commitSession(await storage.getSession())
    expect(await left()).toBeGreaterThan(1_790_000)
    expect(await left()).toBeLessThanOrEqual(1_800_000)
    await storage.commitSession(await storage.getSession(cookie), { maxAge: 60 })
    expect(await left()).toBeLessThanOrEqual(60_000)
    await storage.commitSession(await storage.getSession(cookie), { expires: new Date(0) })
    expect((await storage.getSession(cookie)).data).toEqual({})
    expect(await store.store.length()).toBe(0)
  })

  test('a logout without a session is not an error', async () => {
    const store = openRouterStore()
    const { getSession, destroySession } = createSessionStorage({ cookie: COOKIE, ...store })
    expect(await destroySession(await getSession())).toContain('sid=;')
  })
})

describe('the store alone:', () => {
  const store = openRouterStore()

  test('has exactly the functions that createSessionStorage accepts', () => {
    expect(Object.keys({ ...store }).sort()).toEqual(['createData', 'deleteData', 'readData', 'updateData'])
  })

  test('ids are random, and have only characters that need no escaping', async () => {
    const ids = await Promise.all(Array.from({ length: 100 }, () => store.createData({})))
    expect(new Set(ids).size).toBe(100)
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{32}$/)
  })

  test('created and updated data can be read until they expire or are deleted', async () => {
    const id = await store.createData({ cookie: 'mine', n: 1 }, new Date(Date.now() + 60_000))
    expect(await store.readData(id)).toEqual({ cookie: 'mine', n: 1 })
    await store.updateData(id, { n: 2 })
    expect(await store.readData(id)).toEqual({ n: 2 })
    await store.deleteData(id)
    expect(await store.readData(id)).toBeNull()
    await store.deleteData(id)

    const brief = await store.createData({ n: 1 }, new Date(Date.now() + 50))
    for (;;) if (await store.readData(brief) === null) break
    const ended = await store.createData({ n: 1 }, new Date(Date.now() - 1))
    expect(await store.readData(ended)).toBeNull()
  })

  test.each([['', 'an empty id'], [5, 'a number'], [{ a: 1 }, 'an object']])('a cookie that is not signed may hold %j (%s)', async id => {
    expect(await store.readData(id)).toBeNull()
    expect(await store.deleteData(id)).toBeUndefined()
  })
})
