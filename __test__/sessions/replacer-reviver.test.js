'use strict'

// Options `replacer` and `reviver`: values that JSON has no type for come back as they were, and merging by top-level key stays intact.

const { once } = require('node:events')
const express = require('express')
const session = require('express-session')
const fc = require('fast-check')
const { AerospikeStore, SessionStore } = require('../..')
const { FastifyStore } = require('../../exports/fastify')
const { KoaStore } = require('../../exports/koa')
const { cookie } = require('../support/cookie')
const { freshSet, hosts, openSessions, openStore } = require('../support/server')

/** A decimal number, as libraries for money have it. */
class Decimal {
  constructor (text) {
    this.text = text
  }

  toJSON () {
    return this.text
  }
}

const functions = {
  replacer (key, value) {
    const original = this[key]
    if (original instanceof Date) return { $date: value }
    if (original instanceof Decimal) return { $decimal: value }
    if (value instanceof Map) return { $map: [...value] }
    if (typeof value === 'bigint') return { $bigint: String(value) }
    return value
  },
  reviver (key, value) {
    if (value?.$date !== undefined) return new Date(value.$date)
    if (value?.$decimal !== undefined) return new Decimal(value.$decimal)
    if (value?.$map !== undefined) return new Map(value.$map)
    if (value?.$bigint !== undefined) return BigInt(value.$bigint)
    return value
  }
}
const VALUES = {
  date: new Date(1_767_225_600_123),
  map: new Map([['a', 1], ['b', { when: new Date(0) }]]),
  big: 2n ** 70n,
  price: new Decimal('0.10'),
  list: [1n, new Date(5), 'plain', null]
}
const FORMATS = [
  ['a map', {}], ['JSON', { format: 'json' }], ['encrypted', { encryptionKeys: [Buffer.alloc(32, 7)] }],
  ['with ids', { storeIds: true, user: 'owner' }], ['overwritten', { conflict: 'overwrite' }]
]

/** @type {(() => void)[]} */
const closing = []
afterAll(() => { for (const close of closing) close() })

describe.each(FORMATS)('format: %s', (_, options) => {
  const set = freshSet()
  const store = openStore({ set, ...options, ...functions })

  test('values come back as they were, from every method', async () => {
    const sid = 'values'
    await store.set(sid, { cookie: cookie(60_000), owner: 'ada', ...VALUES })
    const found = [await store.get(sid), ...await store.all(), ...options.user === undefined ? [] : await store.sessionsOf('ada')]
    for await (const one of store.sessions()) found.push(one)
    expect(found.length).toBeGreaterThan(2)
    for (const one of found) expect(one).toMatchObject(VALUES)
    for (const one of found) expect(one.price).toBeInstanceOf(Decimal)
  })

  test('two requests at once change different keys of a session with such values', async () => {
    const sid = 'merge'
    await store.set(sid, { cookie: cookie(60_000), ...VALUES })
    const [one, two] = [await store.get(sid), await store.get(sid)]
    one.date.setTime(7)
    two.added = 5n
    await store.set(sid, one)
    await store.set(sid, two)
    const expected = { ...VALUES, date: options.conflict === 'overwrite' ? VALUES.date : new Date(7), added: 5n }
    expect(await store.get(sid)).toMatchObject(expected)
  })

  test('a listed session merges, too, and is compared as it was listed', async () => {
    const sid = 'listed'
    await store.set(sid, { cookie: cookie(60_000), name: sid, ...VALUES })
    const listed = (await store.all()).find(({ name }) => name === sid)
    const other = await store.get(sid)
    other.big = 1n
    await store.set(sid, other)
    listed.map.set('c', 3)
    await store.set(sid, listed)
    const { big, map } = await store.get(sid)
    expect(map.get('c')).toBe(3)
    if (options.conflict !== 'overwrite') expect(big).toBe(1n)
  })

  test('a touch of such a session keeps its data', async () => {
    const sid = 'touched'
    await store.set(sid, { cookie: cookie(60_000), ...VALUES })
    const loaded = await store.get(sid)
    loaded.cookie.expires = new Date(Date.now() + 90_000).toISOString()
    await store.touch(sid, loaded)
    expect(await store.get(sid)).toMatchObject(VALUES)
  })
})

describe('a value that is stored in another form than it is set', () => {
  // Dates without a mark: what was stored as '2026-01-01' is set as '2026-01-01T00:00:00.000Z'.
  const options = { reviver: (_, value) => /^\d{4}-\d\d-\d\d/.test(value) ? new Date(value) : value }

  test.each(['map', 'json'])('counts as unchanged, so that a request does not undo what another has done to it: %s', async format => {
    const set = freshSet()
    const store = openStore({ set, format, ...options })
    const plain = openStore({ set, format })
    await plain.set('dates', { cookie: cookie(60_000), born: '2026-01-01', n: 1 })
    const slow = await store.get('dates')
    const fast = await plain.get('dates')
    fast.born = '2027-02-02'
    await plain.set('dates', fast)
    slow.n = 2
    await store.set('dates', slow)
    expect(await plain.get('dates')).toMatchObject({ born: '2027-02-02', n: 2 })
    expect(slow.born).toBeInstanceOf(Date)
  })

  test('does not make a page that changes nothing write data', async () => {
    const set = freshSet()
    const store = openStore({ set, ...options })
    await openStore({ set }).set('unchanged', { cookie: cookie(60_000), born: '2026-01-01' })
    await store.set('unchanged', await store.get('unchanged'))
    expect(await openStore({ set }).get('unchanged')).toMatchObject({ born: '2026-01-01' })
  })
})

describe('the cookie', () => {
  test.each([['a map', {}], ['JSON', { format: 'json' }]])('is passed to neither function: %s', async (_, format) => {
    const seen = []
    const watching = {
      replacer: (key, value) => { seen.push(key); return value },
      reviver: (key, value) => { seen.push(key); return value }
    }
    const store = openStore({ set: freshSet(), ...format, ...watching })
    await store.set('cookie', { cookie: { ...cookie(60_000), nested: { path: '/' } }, a: 1 })
    const found = await store.get('cookie')
    expect(found.cookie).toMatchObject({ originalMaxAge: 60_000, nested: { path: '/' }, expires: expect.any(String) })
    expect(new Set(seen)).toStrictEqual(new Set(['', 'a']))
  })

  test('is a key like any other in a SessionStore', async () => {
    const sessions = openSessions({ set: freshSet(), ...functions })
    await sessions.save('plain', { cookie: new Date(5), big: 1n })
    expect(await sessions.get('plain')).toStrictEqual({ cookie: new Date(5), big: 1n })
  })

  test('an array of keys keeps these keys, and the cookie', async () => {
    const store = openStore({ set: freshSet(), replacer: ['a', 1] })
    await store.set('keys', { cookie: cookie(60_000), a: { a: 1, b: 2 }, b: 2, 1: 'one' })
    expect(await store.get('keys')).toStrictEqual({ cookie: expect.objectContaining({ originalMaxAge: 60_000 }), a: { a: 1 }, 1: 'one' })
  })
})

describe('a function that fails', () => {
  const failing = () => { throw new Error('not today') }

  test('a replacer that throws fails the set, with its error as the cause', async () => {
    const store = openStore({ set: freshSet(), replacer: failing })
    await expect(store.set('a', { cookie: cookie(60_000) })).rejects.toMatchObject({ code: 'BAD_DATA', cause: { message: 'not today' } })
    const sessions = openSessions({ set: freshSet(), replacer: failing })
    await expect(sessions.save('a', {})).rejects.toMatchObject({ code: 'BAD_DATA' })
  })

  test('a reviver that throws fails only its session', async () => {
    const set = freshSet()
    const store = openStore({ set, user: 'owner', reviver: (key, value) => key === 'bad' ? failing() : value })
    const warnings = []
    store.on('warning', warning => warnings.push(warning))
    await store.set('good', { cookie: cookie(60_000), owner: 'ada', n: 1 })
    await store.set('bad', { cookie: cookie(60_000), owner: 'ada', bad: 'a secret' })
    const error = await store.get('bad').catch(error => error)
    expect(error).toMatchObject({ code: 'BAD_DATA', message: "the function in option 'reviver' threw an error", cause: { message: 'not today' } })
    expect(await store.get('good')).toMatchObject({ n: 1 })
    expect((await store.all()).map(({ n }) => n)).toStrictEqual([1])
    expect((await store.sessionsOf('ada')).map(({ n }) => n)).toStrictEqual([1])
    const walked = []
    for await (const { n } of store.sessions()) walked.push(n)
    expect(walked).toStrictEqual([1])
    expect(await store.length()).toBe(2)
    expect(warnings.map(({ code }) => code).filter(code => code !== 'NO_USER_INDEX')).toStrictEqual(['UNREADABLE'])
    // It can be replaced and removed like any other.
    await store.set('bad', { cookie: cookie(60_000), n: 2 })
    expect(await store.get('bad')).toMatchObject({ n: 2 })
  })

  test.each([['nothing', undefined], ['null', null], ['a list', []], ['a text', 'x']])('a reviver that returns %s for the session', async (_, value) => {
    const set = freshSet()
    await openStore({ set }).set('a', { cookie: cookie(60_000) })
    const store = openStore({ set, reviver: (key, original) => key === '' ? value : original })
    await expect(store.get('a')).rejects.toMatchObject({ code: 'BAD_DATA' })
    const sessions = openSessions({ set, reviver: (key, original) => key === '' ? value : original })
    await expect(sessions.get('a')).rejects.toMatchObject({ code: 'BAD_DATA' })
  })

  test('a value that the replacer does not replace fails the set, and the loaded session can still be touched', async () => {
    const store = openStore({ set: freshSet(), reviver: (key, value) => key === 'n' ? BigInt(value) : value })
    await store.set('a', { cookie: cookie(60_000), n: 1 })
    const loaded = await store.get('a')
    expect(loaded.n).toBe(1n)
    await expect(store.set('a', loaded)).rejects.toMatchObject({ code: 'BAD_DATA' })
    await store.touch('a', loaded)
    expect((await store.get('a')).n).toBe(1n)
  })
})

test('a store with option client inherits both functions, and may have its own', async () => {
  const set = freshSet()
  const client = openSessions({ set, ...functions })
  const inherits = new AerospikeStore({ client })
  await inherits.set('inherited', { cookie: cookie(60_000), big: 5n })
  expect(await inherits.get('inherited')).toMatchObject({ big: 5n })
  const own = new AerospikeStore({ client, reviver: (_, value) => value?.$bigint ? Number(value.$bigint) : value })
  expect(await own.get('inherited')).toMatchObject({ big: 5 })
})

test.each([['replacer', 'all'], ['replacer', 5], ['replacer', {}], ['reviver', 'all'], ['reviver', []]])('option %s: %j is refused', (name, value) => {
  for (const Store of [AerospikeStore, SessionStore, KoaStore]) {
    expect(() => new Store({ hosts: hosts(), [name]: value })).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining(`option '${name}'`) }))
  }
})

test('over HTTP: Express shows the values, keys that its Session cannot show are kept, and parallel requests lose nothing', async () => {
  const set = freshSet()
  const store = openStore({ set, ...functions })
  const app = express()
  app.use(session({ store, secret: 'only for tests', resave: false, saveUninitialized: false, genid: () => 'http', cookie: { maxAge: 60_000 } }))
  app.get('/put/:key', (req, res) => {
    req.session[req.params.key] = BigInt(req.query.value)
    res.end()
  })
  app.get('/change', (req, res) => {
    req.session.map.set('within', req.session.map.size)
    res.json(req.session)
  })
  app.get('/unstorable', (req, res) => {
    req.session.unstorable = Object.assign([], { toJSON () { throw new Error('not today') } })
    res.end()
  })
  app.use((error, req, res, next) => res.headersSent ? next(error) : res.status(500).json({ code: error.code }))
  app.get('/', (req, res) => res.json(Object.entries(req.session).filter(([, value]) => typeof value === 'bigint').map(([key, value]) => [key, String(value)]).sort()))
  // `id` and `save` are properties of Express's Session.
  await store.set('http', { cookie: cookie(60_000), id: 1n, save: new Date(5), start: 0n, map: new Map() })
  const server = app.listen(0, '127.0.0.1')
  closing.push(() => { server.closeAllConnections(); server.close() })
  await once(server, 'listening')
  const { port } = server.address()
  const signed = `s:http.${require('cookie-signature').sign('http', 'only for tests').slice('http.'.length)}`
  const visit = path => fetch(`http://127.0.0.1:${port}${path}`, { headers: { cookie: `connect.sid=${encodeURIComponent(signed)}` } })
  await Promise.all(['a', 'b', 'c', 'd'].map((key, n) => visit(`/put/${key}?value=${n}`)))
  expect(await (await visit('/')).json()).toStrictEqual([['a', '0'], ['b', '1'], ['c', '2'], ['d', '3'], ['start', '0']])
  const before = store.stats().operations.set.ok
  expect(await (await visit('/change')).json()).toMatchObject({ map: { $map: [['within', 0]] }, start: { $bigint: '0' } })
  expect(store.stats().operations.set.ok).toBe(before + 1)
  await visit('/')
  // A page that changes nothing is a touch.
  expect(store.stats().operations.set.ok).toBe(before + 1)
  expect(await store.get('http')).toMatchObject({ id: 1n, save: new Date(5), map: new Map([['within', 0]]) })
  const errors = jest.spyOn(console, 'error').mockImplementation(() => {})
  await visit('/unstorable')
  expect(store.stats().operations.set.errors).toStrictEqual({ BAD_DATA: 1 })
  errors.mockRestore()
  // A new session holds such values from its first request on.
  await store.destroy('http')
  await visit('/put/first?value=1')
  expect(await store.get('http')).toMatchObject({ first: 1n })
})

test('stores of other frameworks have the functions, too', async () => {
  const set = freshSet()
  const koa = new KoaStore({ hosts: hosts(), set, ...functions })
  await koa.set('koa', { big: 1n, when: new Date(5) }, 60_000, { changed: true })
  expect(await koa.get('koa', 60_000, {})).toMatchObject({ big: 1n, when: new Date(5) })
  await koa.close()
  const fastify = new FastifyStore({ hosts: hosts(), set, ...functions })
  await fastify.set('fastify', { cookie: cookie(60_000), big: 1n })
  const loaded = await fastify.get('fastify')
  const copy = { ...loaded, map: new Map([[1, 2]]) }
  await fastify.set('fastify', copy)
  expect(await fastify.get('fastify')).toMatchObject({ big: 1n, map: new Map([[1, 2]]) })
  await fastify.close()
})

test('any JSON comes back through a replacer and a reviver that change nothing', async () => {
  const same = (_, value) => value
  const store = openStore({ set: freshSet(), format: 'json', replacer: same, reviver: same })
  const plain = openStore({ set: freshSet(), format: 'json' })
  const data = fc.dictionary(fc.string(), fc.jsonValue()).filter(value => !('cookie' in value) && !('toJSON' in value))
  await fc.assert(fc.asyncProperty(data, async value => {
    await store.set('any', { ...value, cookie: cookie(60_000) })
    await plain.set('any', { ...value, cookie: cookie(60_000) })
    const strip = ({ cookie, ...rest }) => JSON.stringify(Object.entries(rest).sort(([a], [b]) => a < b ? -1 : 1))
    expect(strip(await store.get('any'))).toBe(strip(await plain.get('any')))
  }), { numRuns: 100 })
})
