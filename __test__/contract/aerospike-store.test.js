'use strict'

// The contract of an express-session store, called as express-session calls it.

const { setTimeout: pass } = require('node:timers/promises')
const { once } = require('node:events')
const session = require('express-session')
const { AerospikeStore, SessionStore } = require('../..')
const { cookie } = require('../support/cookie')
const { hosts, freshSet, openSessions, openStore } = require('../support/server')
const { serve, Visitor } = require('../support/http')

const store = openStore()

describe('a session of Express', () => {
  test('is returned with its data and its cookie', async () => {
    const made = cookie(60_000)
    await store.set('whole', { cookie: made, user: 'ada', cart: [1, 2] })
    const got = await store.get('whole')
    expect(got).toStrictEqual({ ...JSON.parse(JSON.stringify({ cookie: made })), user: 'ada', cart: [1, 2] })
  })

  test('without maxAge keeps its cookie without expires, and expires after the ttl', async () => {
    const brief = openStore({ ttl: 0.4 })
    await brief.set('browser', { cookie: cookie() })
    expect((await brief.get('browser')).cookie).toStrictEqual({ originalMaxAge: null, expires: null, httpOnly: true, path: '/' })
    await pass(420)
    expect(await brief.get('browser')).toBeNull()
  })

  test('keeps every attribute of its cookie', async () => {
    const full = new session.Cookie({
      path: '/app', httpOnly: false, secure: true, sameSite: 'strict', domain: 'example.org', priority: 'high', partitioned: true, maxAge: 60_000
    })
    await store.set('attributes', { cookie: full })
    expect((await store.get('attributes')).cookie).toStrictEqual(JSON.parse(JSON.stringify(full)))
  })

  test('keeps cookie.expires: false', async () => {
    const made = cookie()
    made.expires = false
    await store.set('false', { cookie: made })
    expect((await store.get('false')).cookie).toStrictEqual(JSON.parse(JSON.stringify(made)))
  })

  test.each([
    ['no cookie', {}], ['null', { cookie: null }], ['a text', { cookie: 'a' }], ['an array', { cookie: [1] }], ['an empty cookie', { cookie: {} }],
    ['a cookie with an end alone', () => ({ cookie: { expires: new Date(Date.now() + 86_400_000) } })]
  ])('stored with %s gets a cookie like plain data', async (_, made) => {
    const before = Date.now()
    const given = typeof made === 'function' ? made() : made
    const session = { ...given, user: 'ada' }
    await store.set('bare', session)
    expect(session).toStrictEqual({ ...given, user: 'ada' })
    const got = await store.get('bare')
    const { originalMaxAge } = got.cookie
    expect(got).toStrictEqual({ cookie: { originalMaxAge, expires: expect.any(String), httpOnly: true, path: '/' }, user: 'ada' })
    // A day, or for a cookie with only an expiry the time left when it was set.
    if (typeof made !== 'function') expect(originalMaxAge).toBe(86_400_000)
    else expect(Math.abs(originalMaxAge - 86_400_000)).toBeLessThan(10_000)
    expect(Math.abs(new Date(got.cookie.expires) - before - 86_400_000)).toBeLessThan(10_000)
    // It is a session like any other: changes of others are kept.
    await store.set('bare', { ...session, user: 'grace' })
    expect(await store.get('bare')).toMatchObject({ user: 'grace', cookie: typeof made === 'function' ? { httpOnly: true } : { originalMaxAge: 86_400_000 } })
  })

  test('stored without a cookie is served by express-session', async () => {
    const app = await serve(store, app => app.get('/', (req, res) => res.json(req.session.user ?? null)), { genid: () => 'by hand', saveUninitialized: true })
    try {
      const visitor = new Visitor(app.url)
      expect((await visitor.get('/')).body).toBeNull()
      await store.set('by hand', { user: 'ada' })
      expect(await visitor.get('/')).toStrictEqual({ status: 200, body: 'ada' })
      expect(app.errors).toStrictEqual([])
    } finally {
      await app.stop()
    }
  })

  test.each([
    ['the next year', new Date('+010000-01-01T00:00:00Z')], ['the last time of all', new Date(8.64e15)]
  ])('that expires after the year 9999 (%s) expires at the last possible date', async (_, expires) => {
    const far = { cookie: { originalMaxAge: 1, path: '/', expires } }
    await store.set('far', far)
    expect((await store.get('far')).cookie.expires).toBe('9999-12-31T23:59:59.999Z')
    await store.touch('far', far)
    expect((await store.get('far')).cookie.expires).toBe('9999-12-31T23:59:59.999Z')
  })

  test('saved as plain data gets a cookie with the time left', async () => {
    const set = freshSet()
    const sessions = openSessions({ set })
    const express = openStore({ set })
    const before = Date.now()
    await sessions.save('plain', { user: 'ada' }, { ttl: 60 })
    const got = await express.get('plain')
    expect(got.user).toBe('ada')
    expect(new Date(got.cookie.expires).getTime()).toBeGreaterThanOrEqual(before + 60_000)
    expect(got.cookie).toMatchObject({ httpOnly: true, path: '/' })
    expect(got.cookie.originalMaxAge).toBeGreaterThan(50_000)
    expect(got.cookie.originalMaxAge).toBeLessThanOrEqual(60_000)
  })

  test('is plain data for a SessionStore of the same set', async () => {
    const set = freshSet()
    const express = openStore({ set })
    await express.set('both', { cookie: cookie(60_000), user: 'ada' })
    expect(await openSessions({ set }).get('both')).toStrictEqual({ user: 'ada' })
  })

  test('that has expired is null, to the millisecond', async () => {
    await store.set('brief', { cookie: cookie(250) })
    expect(await store.get('brief')).not.toBeNull()
    await pass(270)
    expect(await store.get('brief')).toBeNull()
  })

  test('whose cookie has already expired is removed by set and by touch', async () => {
    await store.set('past', { cookie: cookie(60_000) })
    await store.set('past', { cookie: cookie(-1) })
    expect(await store.get('past')).toBeNull()
    const live = { cookie: cookie(60_000) }
    await store.set('past', live)
    live.cookie.maxAge = 0
    await store.touch('past', live)
    expect(await store.get('past')).toBeNull()
  })
})

describe('a session that was loaded', () => {
  test('is a new session under another id and in another store', async () => {
    const [store, other] = [openStore(), openStore()]
    await store.set('a', { cookie: cookie(60_000), n: 1 })
    const req = { sessionID: 'a', sessionStore: store }
    const loaded = store.createSession(req, await store.get('a'))
    await Promise.all([store.set('b', loaded), other.set('a', loaded)])
    expect(await store.get('b')).toMatchObject({ n: 1 })
    expect(await other.get('a')).toMatchObject({ n: 1 })
    // Under its own id it is still the loaded session, so it is gone when that is removed.
    const again = store.createSession(req, await store.get('a'))
    await store.destroy('a')
    again.n = 2
    await store.set('a', again)
    expect(await store.get('a')).toBeNull()
  })
})

describe('touch', () => {
  test('moves the expiry and keeps the data', async () => {
    const live = { cookie: cookie(300), user: 'ada' }
    await store.set('touched', live)
    live.cookie.maxAge = 60_000
    live.user = 'not to be written'
    await store.touch('touched', live)
    await pass(320)
    const got = await store.get('touched')
    expect(got.user).toBe('ada')
    expect(got.cookie).toStrictEqual(JSON.parse(JSON.stringify(live.cookie)))
  })

  test('of a missing session succeeds and creates none', async () => {
    await store.touch('nobody', { cookie: cookie(60_000) })
    expect(await store.get('nobody')).toBeNull()
  })
})

describe('touchOnRead', () => {
  test('lets the server extend a session that is read, and skips the touch', async () => {
    const reading = openStore({ touchOnRead: 90 })
    const live = { cookie: cookie(12_000), user: 'ada' }
    await reading.set('read', live)
    const first = (await reading.get('read')).cookie.expires
    await pass(3_500)
    const loaded = await reading.get('read')
    await reading.touch('read', loaded)
    const later = (await reading.get('read')).cookie.expires
    expect(new Date(later) - new Date(first)).toBeGreaterThan(2_000)
    expect((await reading.get('read')).user).toBe('ada')
  })
})

describe('destroy', () => {
  test('removes a session, and succeeds if there is none', async () => {
    await store.set('gone', { cookie: cookie(60_000) })
    await store.destroy('gone')
    expect(await store.get('gone')).toBeNull()
    await store.destroy('gone')
  })
})

describe('the lifetime of a session', () => {
  const left = async (store, sid) => new Date((await store.get(sid)).cookie.expires).getTime() - Date.now()

  test('is one day without ttl and maxAge', async () => {
    const meta = openStore()
    await meta.set('default', { cookie: cookie() })
    expect(meta.client.ttl).toBe(86_400)
  })

  test('is that of the ttl function, whatever the cookie says', async () => {
    const seen = []
    const chosen = openStore({ ttl: (sess, sid) => { seen.push([sess.kind, sid]); return sess.kind === 'long' ? 1_000 : 10 } })
    await chosen.set('f1', { cookie: cookie(60_000), kind: 'long' })
    await chosen.set('f2', { cookie: cookie(60_000), kind: 'short' })
    expect(await left(chosen, 'f1')).toBeGreaterThan(900_000)
    expect(await left(chosen, 'f2')).toBeLessThanOrEqual(10_000)
    expect(seen).toStrictEqual([['long', 'f1'], ['short', 'f2']])
  })

  test('ends at once if the ttl function returns 0', async () => {
    const none = openStore({ ttl: () => 0 })
    await none.set('none', { cookie: cookie(60_000) })
    expect(await none.get('none')).toBeNull()
  })

  test('is that of the cookie, even with a ttl number', async () => {
    const number = openStore({ ttl: 10 })
    await number.set('cookie', { cookie: cookie(500_000) })
    expect(await left(number, 'cookie')).toBeGreaterThan(400_000)
  })

  test.each([[NaN], ['60'], [undefined], [Infinity]])('is rejected if the ttl function returns %p instead of a number', async value => {
    const wrong = openStore({ ttl: () => value })
    await expect(wrong.set('wrong', { cookie: cookie(1_000) })).rejects.toMatchObject({ code: 'BAD_OPTION' })
  })

  test('fails the write, with the cause, if the ttl function throws', async () => {
    const cause = new Error('theirs')
    const wrong = openStore({ ttl: () => { throw cause } })
    await expect(wrong.set('wrong', { cookie: cookie(1_000) })).rejects.toMatchObject({ code: 'BAD_OPTION', cause })
  })
})

describe('all, length and clear', () => {
  test('include every session at once, and no expired one', async () => {
    const few = openStore()
    expect(await few.length()).toBe(0)
    expect(await few.all()).toStrictEqual([])
    for (const n of [1, 2, 3]) await few.set(`s${n}`, { cookie: cookie(60_000), n })
    await few.set('ended', { cookie: cookie(150), n: 4 })
    await pass(170)
    expect(await few.length()).toBe(3)
    const all = await few.all()
    expect(all.map(one => one.n).sort()).toStrictEqual([1, 2, 3])
    expect(all[0].cookie.originalMaxAge).toBe(60_000)
    await few.clear()
    expect(await few.length()).toBe(0)
    expect(await few.get('s1')).toBeNull()
  })

  test('are limited to the prefix of their store', async () => {
    const set = freshSet()
    const stores = ['', 'a:', 'b:'].map(prefix => openStore({ set, prefix }))
    for (const one of stores) await one.set('same', { cookie: cookie(60_000) })
    const lengths = () => Promise.all(stores.map(one => one.length()))
    expect(await lengths()).toStrictEqual([1, 1, 1])
    await stores[1].clear()
    expect(await lengths()).toStrictEqual([1, 0, 1])
    await stores[0].clear()
    expect(await lengths()).toStrictEqual([0, 0, 1])
  })

  test('do not include other sets', async () => {
    const other = openStore()
    await other.set('mine', { cookie: cookie(60_000) })
    await openStore().clear()
    expect(await other.length()).toBe(1)
  })

  test('handle more sessions than one batch deletes', async () => {
    const many = openStore()
    await Promise.all(Array.from({ length: 1_200 }, (_, n) => many.set(`m${n}`, { cookie: cookie(60_000), n })))
    expect(await many.length()).toBe(1_200)
    await many.clear()
    expect(await many.length()).toBe(0)
  })
})

describe('callbacks', () => {
  const live = () => ({ cookie: cookie(60_000) })
  const calls = {
    set: done => store.set('cb', live(), done),
    get: done => store.get('cb', done),
    touch: done => store.touch('cb', live(), done),
    destroy: done => store.destroy('cb', done),
    all: done => store.all(done),
    length: done => store.length(done),
    clear: done => store.clear(done)
  }

  test.each(Object.keys(calls))('of %s are called with null if there is no error, and no promise is returned', async name => {
    let returned
    const [error] = await new Promise(resolve => { returned = calls[name]((...args) => resolve(args)) })
    expect(error).toBeNull()
    expect(returned).toBeUndefined()
  })

  test.each(Object.keys(calls))('of %s may be left out: a promise is returned', async name => {
    await expect(Promise.resolve(calls[name](undefined))).resolves.not.toThrow()
  })
})

describe('the class', () => {
  test('is an express-session Store whose methods name their callbacks', () => {
    expect(store).toBeInstanceOf(session.Store)
    expect(store.get).toHaveLength(2)
    expect(store.set).toHaveLength(3)
    expect(store.touch).toHaveLength(3)
    expect(store.destroy).toHaveLength(2)
    expect(String(store.get)).toMatch(/callback/)
  })

  test('uses a shared client with its ttl, and never closes it', async () => {
    const client = new SessionStore({ hosts: hosts(), set: freshSet(), ttl: 77 })
    const lent = new AerospikeStore({ client })
    await lent.set('lent', { cookie: cookie(60_000), user: 'ada' })
    expect(await client.get('lent')).toStrictEqual({ user: 'ada' })
    await lent.close()
    expect(await client.delete('lent')).toBe(true)
    await client.close()
    await expect(lent.get('lent')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('can share a client with other prefixes, formats and ttl', async () => {
    const client = openSessions({ prefix: 'all:', ttl: 50 })
    const [a, b] = [new AerospikeStore({ client, prefix: 'a:', format: 'json' }), new AerospikeStore({ client, prefix: 'b:', ttl: 70 })]
    for (const view of [a, b]) await view.set('same', { cookie: cookie(), of: view === a ? 'a' : 'b' })
    expect(await a.get('same')).toMatchObject({ of: 'a' })
    expect(await b.get('same')).toMatchObject({ of: 'b' })
    expect([a.ttl, b.ttl]).toStrictEqual([50, 70])
    expect(await client.has('same')).toBe(false)
    expect(await new AerospikeStore({ client }).length()).toBe(0)
    await a.clear()
    expect(await b.length()).toBe(1)
    await b.clear()
  })

  test('forwards the warnings of its client', async () => {
    const client = openSessions()
    const lent = new AerospikeStore({ client })
    const forwarded = once(lent, 'warning')
    client.emit('warning', { code: 'TTL_REFUSED', message: 'a test' })
    expect(await forwarded).toStrictEqual([{ code: 'TTL_REFUSED', message: 'a test' }])
  })
})
