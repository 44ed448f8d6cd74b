'use strict'

// @fastify/session on a real server, with FastifyStore and with AerospikeStore.

const { promisify } = require('node:util')
const { FastifyStore } = require('../../exports/fastify')
const { forkSite } = require('../support/fork-site')
const { testRaces } = require('../support/framework-races')
const { freshSet, hosts, openStore } = require('../support/server')
const { Browser, testExample } = require('../support/site')

/** @param {boolean} isMade whether with the store that is made for Fastify */
async function openSite (isMade, options = {}, plugin = {}) {
  const all = { hosts: hosts(), set: freshSet(), ...options }
  const { url, gates, events } = await forkSite('fastify-site.js', { options: all, plugin, isMade })
  return { url, gates, store: events, all }
}

/** Starts a site with a page that shows the session. */
async function openBoth (...args) {
  const site = await openSite(...args)
  return { ...site, records: openStore(site.all) }
}

testExample('examples/fastify/app.js')
testRaces('@fastify/session', options => openBoth(true, options))

describe.each([['a FastifyStore', true], ['an AerospikeStore', false]])('@fastify/session with %s:', (_, isMade) => {
  const sid = browser => decodeURIComponent(browser.cookies.get('sid')).split('.')[0]
  const leftOf = async (records, browser) => {
    const { cookie } = await records.get(sid(browser))
    return new Date(cookie.expires).getTime() - Date.now()
  }

  let url, records
  beforeAll(async () => { ({ url, records } = await openBoth(isMade)) })

  test('by default each request renews the whole lifetime of a session', async () => {
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    const session = await records.get(sid(browser))
    session.cookie.expires = new Date(Date.now() + 60_000)
    await records.touch(sid(browser), session)
    expect(await leftOf(records, browser)).toBeLessThanOrEqual(60_000)
    expect((await browser.get(`${url}/session`)).body).toEqual({ a: '1' })
    expect(await leftOf(records, browser)).toBeGreaterThan(1_700_000)
    expect(await leftOf(records, browser)).toBeLessThanOrEqual(1_800_000)
  })

  test("a session whose cookie has no expiry lives for the store's ttl", async () => {
    const { url, records } = await openBoth(isMade, { ttl: 2 }, { cookie: { secure: false } })
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    expect(await records.get(sid(browser))).toMatchObject({ a: '1', cookie: { expires: null } })
    for (;;) if (await records.get(sid(browser)) === null) break
    expect((await browser.get(`${url}/session`)).body).toEqual({})
  })

  test('a login ends the sessions of the user beyond maxSessionsPerUser', async () => {
    const { url, records } = await openBoth(isMade, { user: 'userId', maxSessionsPerUser: 1 })
    await records.createUserIndex()
    const [phone, laptop] = [new Browser(), new Browser()]
    for (const browser of [phone, laptop]) await browser.get(`${url}/put?key=userId&value=ada`)
    await laptop.get(`${url}/put?key=n&value=1`)
    expect((await phone.get(`${url}/session`)).body).toEqual({})
    expect((await laptop.get(`${url}/session`)).body).toEqual({ userId: 'ada', n: '1' })
  })

  test('a session can be saved twice in a request, and reloaded', async () => {
    const browser = new Browser()
    await browser.get(`${url}/twice`)
    expect((await browser.get(`${url}/twice`)).body).toEqual({ a: 1, b: 2 })
    expect((await browser.get(`${url}/reload`)).body).toEqual({ a: 1, b: 2, kept: 1 })
    expect((await browser.get(`${url}/session`)).body).toEqual({ a: 1, b: 2, kept: 1 })
  })

  test('a login creates a new id and keeps the selected data', async () => {
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    await browser.get(`${url}/put?key=b&value=2`)
    const before = browser.copy()
    await browser.post(`${url}/login?keep=b,@aerospike-session`)
    expect((await browser.get(`${url}/session`)).body).toEqual({ b: '2', user: 'ada' })
    expect((await before.get(`${url}/session`)).body).toEqual({})
  })

  test('an unreachable store is an error of the request', async () => {
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    const away = await openSite(isMade, { hosts: '127.0.0.1:1' })
    expect(await browser.get(`${away.url}/session`)).toMatchObject({ status: 500, body: { code: 'UNAVAILABLE' } })
  })
})

test('with an AerospikeStore the last of two requests wins, because Fastify copies the session', async () => {
  const { url, gates } = await openBoth(false)
  const browser = new Browser()
  await browser.get(`${url}/put?key=first&value=1`)
  const slow = browser.get(`${url}/put?key=slow&value=2&gate=slow`)
  await gates.arrived('slow')
  await browser.get(`${url}/put?key=fast&value=3`)
  gates.open('slow')
  await slow
  expect((await browser.get(`${url}/session`)).body).toEqual({ first: '1', slow: '2' })
})

describe('FastifyStore alone:', () => {
  const set = freshSet()
  openStore({ set }) // removes the sessions afterwards
  const store = new FastifyStore({ hosts: hosts(), set })
  afterAll(() => store.close())
  const cookie = { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000) }

  test('returns a promise, or calls a callback', async () => {
    expect(await store.set('id', { cookie, a: 1 })).toBeUndefined()
    const get = promisify((sid, callback) => store.get(sid, callback))
    const set = promisify((sid, session, callback) => store.set(sid, session, callback))
    const copy = { ...await get('id') }
    copy.b = 2
    await set('id', copy)
    expect(JSON.parse(JSON.stringify(await store.get('id')))).toMatchObject({ a: 1, b: 2 })
    expect(await store.get('none')).toBeNull()
    expect(await get('none')).toBeNull()
    await expect(get('')).rejects.toMatchObject({ code: 'BAD_KEY' })
    await expect(store.get('')).rejects.toMatchObject({ code: 'BAD_KEY' })
    expect(() => store.get('id', 'no function')).toThrow('a callback must be a function')
  })

  test('a session under another id is a new session', async () => {
    await store.set('from', { cookie, a: 1 })
    const session = { ...await store.get('from') }
    await store.set('to', session)
    expect(await store.get('to')).toMatchObject({ a: 1 })
  })

  test('a copy of the session may be cloned, and clones may be put into the session', async () => {
    await store.set('cloned', { cookie, a: 1 })
    const copy = { ...await store.get('cloned') }
    const clone = structuredClone(copy)
    expect(clone).toMatchObject({ a: 1 })
    Object.assign(copy, { b: 2, before: clone })
    await store.set('cloned', copy)
    await store.set('cloned', { ...clone, c: 3 })
    expect(JSON.parse(JSON.stringify(await store.get('cloned')))).toMatchObject({ a: 1, c: 3 })
    expect(JSON.stringify(await store.client.get('cloned'))).not.toContain('@aerospike-session')
  })

  test('a session that was copied to another id is still gone under its own', async () => {
    await store.set('from', { cookie, a: 1 })
    const session = { ...await store.get('from') }
    await store.destroy('from')
    await store.set('to', session)
    await store.set('from', session)
    expect(await store.get('from')).toBeNull()
    expect(await store.get('to')).toMatchObject({ a: 1 })
  })
})

test('an old session that is spread into a new one is not restored under the old id', async () => {
  const { url, records } = await openBoth(true)
  const browser = new Browser()
  await browser.get(`${url}/put?key=cart&value=1`)
  const before = decodeURIComponent(browser.cookies.get('sid')).split('.')[0]
  await browser.post(`${url}/spread`)
  expect(await records.get(before)).toBeNull()
})
