'use strict'

// The options and the calls of MigratingStore. __test__/docs/migrating.test.js moves sessions of a site.

const { once } = require('node:events')
const express = require('express')
const session = require('express-session')
const { AerospikeStore, renew, renewal } = require('../..')
const { MigratingStore } = require('../../exports/migrate')
const { cookie } = require('../support/cookie')
const { serve, Visitor } = require('../support/http')
const { freshSet, openStore } = require('../support/server')

const { MemoryStore } = session
const set = freshSet()
const to = openStore({ set, prefix: 'shop:', encryptionKeys: [Buffer.alloc(32, 7)], hashIds: 'a secret of 16 bytes' })
openStore({ set, prefix: 'shop:gone:', hashIds: 'a secret of 16 bytes' }) // removes the records of the migration
const from = new MemoryStore()
const at = new Date(0)

test.each([
  ['nothing', undefined, "'from'"], ['no old store', { to, at }, "'from'"], ['an old store without methods', { from: {}, to, at }, "'from'"],
  ['no new store', { from, at }, "'to'"], ['a new store of another kind', { from, to: new MemoryStore(), at }, "'to'"],
  ['no time', { from, to }, "'at'"], ['a time that is no Date', { from, to, at: '2027-01-10' }, "'at'"], ['an invalid Date', { from, to, at: new Date('x') }, "'at'"],
  ['an unknown option', { from, to, at, more: 1 }, "'more'"]
])('refuses %s', (_, options, option) => {
  expect(() => new MigratingStore(options)).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining(option) }))
})

test('each method takes a callback or returns a promise', async () => {
  const store = new MigratingStore({ from, to, at })
  const call = (method, ...args) => new Promise((resolve, reject) => store[method](...args, (error, value) => error ? reject(error) : resolve(value)))
  expect(await call('set', 'a', { cookie: cookie(60_000), n: 1 })).toBeUndefined()
  expect(await store.get('a')).toMatchObject({ n: 1 })
  expect(await call('get', 'a')).toMatchObject({ n: 1 })
  await call('touch', 'a', await store.get('a'))
  await store.destroy('a')
  expect(await store.get('a')).toBeNull()
  expect(await to.get('a')).toBeNull()
})

test('an old store without touch is asked for none', async () => {
  const old = { get: (sid, callback) => callback(null, null), set: (sid, session, callback) => callback(), destroy: (sid, callback) => callback() }
  await new MigratingStore({ from: old, to, at: new Date(Date.now() + 60_000) }).touch('a', { cookie: {} })
})

test('an error of either store reaches the callback, and a destroy without one ends no process', async () => {
  const failing = { ...from, get: (sid, callback) => callback(new Error('away')), set: from.set, destroy: (sid, callback) => callback(new Error('away')) }
  const store = new MigratingStore({ from: failing, to, at })
  await expect(store.get('b')).rejects.toThrow('away')
  store.destroy('b')
  store.destroy('b', undefined)
  await expect(store.destroy('b')).rejects.toThrow('away')
})

test('logouts that it remembers have the options of the new store, and are no sessions of it', async () => {
  const store = new MigratingStore({ from, to, at })
  const before = await to.length()
  await store.destroy('gone')
  expect(await to.length()).toBe(before)
  expect(await new AerospikeStore({ client: to.client, prefix: 'shop:gone:', hashIds: 'a secret of 16 bytes', encryptionKeys: [Buffer.alloc(32, 7)] }).length()).toBeGreaterThan(0)
})

test('a new session may hold what the replacer of the new store stores', async () => {
  const set = freshSet()
  const replacing = openStore({
    set,
    replacer: (_, value) => typeof value === 'bigint' ? { $bigint: String(value) } : value,
    reviver: (_, value) => value?.$bigint === undefined ? value : BigInt(value.$bigint)
  })
  openStore({ set, prefix: 'gone:' }) // removes the records of the migration
  const app = express()
  app.use(session({ store: new MigratingStore({ from: new MemoryStore(), to: replacing, at }), genid: () => 'new', secret: 'only for tests', resave: false, saveUninitialized: false }))
  app.get('/', (req, res) => {
    req.session.big = 1n
    res.end()
  })
  const site = app.listen(0, '127.0.0.1')
  await once(site, 'listening')
  try {
    const { status } = await fetch(`http://127.0.0.1:${site.address().port}/`, { signal: AbortSignal.timeout(5_000) })
    expect(status).toBe(200)
    expect(await replacing.get('new')).toMatchObject({ big: 1n })
  } finally {
    site.closeAllConnections()
    site.close()
  }
})

test('renewals begin with the migration, and a logout through the old id ends the session', async () => {
  const set = freshSet()
  const to = openStore({ set })
  openStore({ set, prefix: 'gone:' }) // removes the records of the migration
  const store = new MigratingStore({ from: new MemoryStore(), to, at: new Date(Date.now() + 600_000) })
  const site = await serve(store, app => {
    app.use(renewal({ every: 0.001, grace: 0.001 }))
    app.get('/login', (req, res) => { req.session.user = 'ada'; res.json(req.sessionID) })
    app.get('/page', (req, res) => res.json([req.session.user ?? null, req.sessionID]))
    app.get('/renew', async (req, res) => res.json([await renew(req), req.sessionID]))
    app.get('/logout', (req, res, next) => req.session.destroy(error => error ? next(error) : res.json({})))
  })
  try {
    const visitor = new Visitor(site.url)
    const { body: first } = await visitor.get('/login')
    expect((await visitor.get('/renew')).body).toEqual([false, first])
    store.at = new Date(0)
    // The first request moves the session. Whether its id is renewed at once depends on the millisecond.
    const { body: [user] } = await visitor.get('/page')
    expect(user).toBe('ada')
    const { body: [, second] } = await visitor.get('/page')
    expect(second).not.toBe(first)
    expect((await to.get(second)).user).toBe('ada')
    expect(await to.length()).toBe(1)
    const late = new Visitor(site.url)
    late.cookies = new Map(visitor.cookies)
    const plain = await serve(store, app => {
      app.get('/renew', async (req, res) => res.json([await renew(req), req.sessionID]))
      app.get('/logout', (req, res, next) => req.session.destroy(error => error ? next(error) : res.json({})))
    })
    const [tab, other] = [visitor, late].map(({ cookies }) => Object.assign(new Visitor(plain.url), { cookies }))
    const { body: [renewed, third] } = await tab.get('/renew')
    expect([renewed, third === second]).toEqual([true, false])
    expect((await other.get('/logout')).status).toBe(200)
    for (const id of [second, third]) expect(await store.get(id)).toBeNull()
    expect(await to.length()).toBe(0)
    await plain.stop()
  } finally {
    await site.stop()
  }
})
