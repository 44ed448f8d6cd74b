'use strict'

// hono-sessions on a real server, and its contract with a store.

const { HonoStore } = require('../../exports/hono')
const { forkSite } = require('../support/fork-site')
const { testRaces } = require('../support/framework-races')
const { freshSet, hosts, openStore } = require('../support/server')
const { Browser, testExample } = require('../support/site')

const EMPTY = { _data: {}, _expire: null, _delete: false, _accessed: null }
const IN_AN_HOUR = () => new Date(Date.now() + 3_600_000).toISOString()

async function openSite (options = {}, middleware = {}) {
  const all = { hosts: hosts(), set: freshSet(), ...options }
  const records = openStore(all)
  const { url, gates, events } = await forkSite('hono-site.mjs', { options: all, middleware })
  return { url, gates, store: events, records }
}

testExample('examples/hono/app.mjs')
testRaces('hono-sessions', openSite)

describe('hono-sessions:', () => {
  test('every visitor has a session at once, which lives for expireAfterSeconds', async () => {
    const { url, records } = await openSite({}, { expireAfterSeconds: 1_800 })
    const browser = new Browser()
    await browser.get(`${url}/session`)
    const [{ cookie }] = await records.all()
    const left = new Date(cookie.expires).getTime() - Date.now()
    expect(left).toBeGreaterThan(1_790_000)
    expect(left).toBeLessThanOrEqual(1_800_000)
    // The next request returns the expiry and extends it.
    const { body } = await browser.get(`${url}/expire`)
    expect(new Date(body).getTime()).toBeGreaterThanOrEqual(new Date(cookie.expires).getTime())
  })

  test("without expireAfterSeconds a session lives for the store's ttl, and has no _expire", async () => {
    const { url, records } = await openSite()
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    expect((await browser.get(`${url}/expire`)).body).toBeNull()
    expect(await records.all()).toMatchObject([{ a: '1', cookie: { expires: null } }])
  })

  test('a flash value exists for one request', async () => {
    const { url } = await openSite()
    const browser = new Browser()
    await browser.get(`${url}/put?key=news&value=saved&flash=1`)
    expect((await browser.get(`${url}/read?key=news`)).body).toBe('saved')
    expect((await browser.get(`${url}/read?key=news`)).body).toBeNull()
  })

  test('a rotated session has another id, and the old one is no longer valid', async () => {
    const { url } = await openSite()
    const browser = new Browser()
    await browser.get(`${url}/put?key=a&value=1`)
    const before = browser.copy()
    await browser.post(`${url}/rotate`)
    expect(browser.cookies.get('sid')).not.toBe(before.cookies.get('sid'))
    expect((await browser.get(`${url}/session`)).body).toEqual({ a: '1' })
    expect((await before.get(`${url}/session`)).body).toEqual({})
  })
})

test('hono-sessions fails requests if the store cannot be reached', async () => {
  const { url } = await forkSite('hono-site.mjs', { options: { hosts: '127.0.0.1:1' } })
  expect(await new Browser().get(`${url}/session`)).toMatchObject({ status: 500, body: { code: 'UNAVAILABLE' } })
})

describe('the store alone:', () => {
  const set = freshSet()
  openStore({ set })
  const store = new HonoStore({ hosts: hosts(), set })
  afterAll(() => store.close())

  test('finds sessions that were created or persisted', async () => {
    await store.createSession('id', { ...EMPTY })
    expect(await store.getSessionById('id')).toEqual(EMPTY)
    const names = JSON.parse('["cookie","~cookie","_accessed","__flash_a__","~__flash_a__","__proto__","a b",""]')
    const _data = Object.fromEntries(names.map((name, index) => [name, { value: index, flash: false }]))
    _data.once = { value: { deep: [null] }, flash: true }
    _data.cookies = { value: null, flash: false }
    const data = { _id: 'id', _data, _expire: IN_AN_HOUR(), _delete: false, _accessed: new Date().toISOString() }
    await store.persistSessionData('id', data)
    const { _id, ...kept } = data
    const found = await store.getSessionById('id')
    expect(found).toEqual(kept)
    expect(Object.hasOwn(found._data, '__proto__')).toBe(true)
  })

  test('stores values under their own names, as other applications do', async () => {
    const _data = { user: { value: 'ada', flash: false }, news: { value: 1, flash: true } }
    await store.createSession('shared', { ...EMPTY, _data })
    expect(await store.store.client.get('shared')).toEqual({ user: 'ada', __flash_news__: 1 })
    await store.store.client.save('recipe', { user: 'grace' }, { ttl: 60 })
    expect(await store.getSessionById('recipe')).toMatchObject({ _data: { user: { value: 'grace', flash: false } }, _expire: expect.any(String) })
  })

  test('returns no session without an id, after its expiry or after a delete', async () => {
    expect(await store.getSessionById()).toBeNull()
    expect(await store.getSessionById('')).toBeNull()
    expect(await store.getSessionById('none')).toBeNull()
    await store.createSession('brief', { ...EMPTY, _expire: new Date(Date.now() + 50).toISOString() })
    for (;;) if (await store.getSessionById('brief') === null) break
    await store.createSession('deleted', { ...EMPTY })
    await store.deleteSession('deleted')
    await store.deleteSession('deleted')
    expect(await store.getSessionById('deleted')).toBeNull()
  })

  test('createSession creates a new session, even with an id and data that were used before', async () => {
    const data = { ...EMPTY, _data: { a: { value: 1, flash: false } } }
    await store.createSession('again', data)
    await store.deleteSession('again')
    await store.createSession('again', data)
    expect(await store.getSessionById('again')).toEqual(data)
  })
})
