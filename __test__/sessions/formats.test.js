'use strict'

// The record in all its formats: native maps, JSON text, records of other languages, and those of aerospike-session-store 0.4.
// Each is read whatever the options say.

const { setTimeout: pass } = require('node:timers/promises')
const { once } = require('node:events')
const { cookie } = require('../support/cookie')
const { OfficialClient } = require('../support/official-client')
const { hosts, freshSet, openSessions, openStore, hasNoTtlNamespace } = require('../support/server')

let official
beforeAll(async () => { official = await OfficialClient.connect(hosts()) })
afterAll(() => official.close())

const record = async (set, id) => (await official.get('test', set, id)).bins
const put = (set, id, bins, ttl) => official.put(['test', set, id], bins, ttl)
/** AEROSPIKE_ERR_RECORD_NOT_FOUND */
const NOT_FOUND = 2

/** Loads a session, changes it and sets it, like a request. */
async function request (store, sid, change) {
  const loaded = await store.get(sid)
  change(loaded)
  await store.set(sid, loaded)
}

describe.each(['map', 'json'])('format %s', format => {
  const set = freshSet()
  const store = openStore({ set, format })
  const sessions = openSessions({ set, format })
  const other = openStore({ set, format: format === 'map' ? 'json' : 'map' })

  test('stores the data in this format, and the cookie and the expiry in separate bins', async () => {
    await store.set('bins', { cookie: cookie(60_000), user: 'ada', list: [1] })
    const bins = await record(set, 'bins')
    expect(bins.data).toStrictEqual(format === 'map' ? { user: 'ada', list: [1] } : '{"user":"ada","list":[1]}')
    expect(bins.cookie).toStrictEqual({ originalMaxAge: 60_000, httpOnly: true, path: '/' })
    expect(Math.abs(bins.expires - Date.now() - 60_000)).toBeLessThan(5_000)
    expect(Math.abs(bins.created - Date.now())).toBeLessThan(5_000)
    expect(Object.keys(bins).sort()).toStrictEqual(['cookie', 'created', 'data', 'expires'])
  })

  test('is read by a store with the other format, and by the recipe', async () => {
    await store.set('other', { cookie: cookie(60_000), user: 'ada' })
    expect(await other.get('other')).toMatchObject({ user: 'ada', cookie: { originalMaxAge: 60_000 } })
    expect(await sessions.get('other')).toStrictEqual({ user: 'ada' })
    await sessions.save('plain', { a: 1 })
    expect(await other.get('plain')).toMatchObject({ a: 1 })
  })

  test('replaces the other format with the next set, also during other requests', async () => {
    await other.set('switch', { cookie: cookie(60_000), a: 1, b: 1 })
    const [one, two] = [await store.get('switch'), await other.get('switch')]
    one.a = 2
    two.b = 2
    await store.set('switch', one)
    await other.set('switch', two)
    expect(await store.get('switch')).toMatchObject({ a: 2, b: 2 })
  })

  test('merges the changes of two requests by key', async () => {
    await store.set('merge', { cookie: cookie(60_000), keep: 0, mine: 1, theirs: 1, drop: 1, nested: { a: 1, b: 1 }, list: [1] })
    const [one, two] = [await store.get('merge'), await store.get('merge')]
    one.mine = 2
    delete one.drop
    one.list.push(2)
    two.theirs = null
    two.nested.b = 2
    two.fresh = { deep: ['\u2028', 'é😀'] }
    await store.set('merge', one)
    await store.set('merge', two)
    const { cookie: _, ...data } = await store.get('merge')
    expect(data).toStrictEqual({ keep: 0, mine: 2, theirs: null, nested: { a: 1, b: 2 }, list: [1, 2], fresh: { deep: ['\u2028', 'é😀'] } })
  })

  test('does not restore a removed session, and emits gone', async () => {
    for (const end of [() => store.destroy('gone'), () => sessions.delete('gone'), () => sessions.touch('gone', { ttl: 0.05 }).then(() => pass(70))]) {
      await store.set('gone', { cookie: cookie(60_000), a: 1 })
      const loaded = await store.get('gone')
      const { digest } = await official.get('test', set, 'gone')
      await end()
      loaded.a = 2
      const emitted = once(store, 'gone')
      await store.set('gone', loaded)
      expect((await emitted)[0].digest).toBe(digest)
      await store.touch('gone', loaded)
      expect(await store.get('gone')).toBeNull()
    }
  })

  test('stores data with lone surrogates as JSON, and merges it as well', async () => {
    await store.set('lone', { cookie: cookie(60_000), a: 1, b: 1 })
    const [one, two] = [await store.get('lone'), await store.get('lone')]
    one.a = '\ud800'
    two.b = 2
    await store.set('lone', one)
    await store.set('lone', two)
    expect(await store.get('lone')).toMatchObject({ a: '\ud800', b: 2 })
    expect(typeof (await record(set, 'lone')).data).toBe('string')
  })

  test('does not overwrite a newer session with the same id', async () => {
    await store.set('again', { cookie: cookie(60_000), first: true })
    const slow = await store.get('again')
    await store.destroy('again')
    await pass(2)
    await other.set('again', { cookie: cookie(60_000), second: true })
    slow.late = true
    const emitted = once(store, 'gone')
    await store.set('again', slow)
    await emitted
    const { cookie: _, ...data } = await store.get('again')
    expect(data).toStrictEqual({ second: true })
  })

  test('keeps the creation time through every write', async () => {
    await store.set('created', { cookie: cookie(60_000), n: 0 })
    const { created } = await record(set, 'created')
    await pass(5)
    await request(store, 'created', data => { data.n = 1 })
    expect(await record(set, 'created')).toMatchObject({ created })
  })
})

test('emits a conflict if a merge had to read again', async () => {
  const store = openStore({ format: 'json' })
  await store.set('told', { cookie: cookie(60_000), a: 1, b: 1 })
  const [one, two] = [await store.get('told'), await store.get('told')]
  one.a = 2
  two.b = 2
  await store.set('told', one)
  const emitted = once(store, 'conflict')
  await store.set('told', two)
  expect((await emitted)[0].digest).toMatch(/^[0-9a-f]{40}$/)
})

describe('with conflict: overwrite', () => {
  test('the last whole session wins, and removed sessions are not restored', async () => {
    const store = openStore({ conflict: 'overwrite' })
    await store.set('last', { cookie: cookie(60_000), a: 1, b: 1 })
    const [one, two] = [await store.get('last'), await store.get('last')]
    one.a = 2
    two.b = 2
    await store.set('last', one)
    await store.set('last', two)
    expect(await store.get('last')).toMatchObject({ a: 1, b: 2 })
    await store.destroy('last')
    two.b = 3
    await store.set('last', two)
    expect(await store.get('last')).toBeNull()
  })
})

describe('a record of another language', () => {
  test('with data only gets a cookie with the time left', async () => {
    const set = freshSet()
    const store = openStore({ set })
    await put(set, 'foreign', { data: { user: 'ada', n: 7, f: 0.5, ok: true, none: null } }, 120)
    const got = await store.get('foreign')
    expect(got).toMatchObject({ user: 'ada', n: 7, f: 0.5, ok: true, none: null, cookie: { httpOnly: true, path: '/' } })
    expect(Math.abs(new Date(got.cookie.expires) - Date.now() - 120_000)).toBeLessThan(5_000)
    await request(store, 'foreign', data => { data.n = 8 })
    expect((await record(set, 'foreign')).data).toMatchObject({ n: 8, user: 'ada' })
  })

  test('that its client has touched lives on, whatever bin expires says', async () => {
    const set = freshSet()
    const store = openStore({ set })
    await store.set('touched', { cookie: cookie(400), user: 'ada' })
    await official.touch(['test', set, 'touched'], 600)
    await pass(450)
    const got = await store.get('touched')
    expect(got.user).toBe('ada')
    expect(new Date(got.cookie.expires) - Date.now()).toBeGreaterThan(590_000)
    expect(await store.length()).toBe(1)
    got.user = 'grace'
    await store.set('touched', got)
    got.cookie.expires = new Date(Date.now() + 60_000)
    expect(await store.get('touched')).toMatchObject({ user: 'grace' })
  })

  test('with large integers, bytes and other keys is returned in JSON', async () => {
    const set = freshSet()
    const store = openStore({ set })
    await put(set, 'odd', { data: { big: 2n ** 60n + 1n, bytes: Buffer.from([1, 255]) } }, 120)
    expect(await store.get('odd')).toMatchObject({ big: '1152921504606846977', bytes: { type: 'Buffer', data: [1, 255] } })
  })

  test('without a session is an error, and is not destroyed', async () => {
    const set = freshSet()
    const store = openStore({ set })
    store.on('warning', () => {})
    await put(set, 'list', { data: [1, 2] }, 120)
    await put(set, 'text', { data: 'no JSON' }, 120)
    for (const id of ['list', 'text']) {
      await expect(store.get(id)).rejects.toMatchObject({ code: 'BAD_DATA' })
      expect(await record(set, id)).toHaveProperty('data')
    }
    await put(set, 'nothing', { else: 1 }, 120)
    expect(await store.get('nothing')).toBeNull()
  })
})

describe('a record of aerospike-session-store 0.4', () => {
  const set = freshSet()
  const store = openStore({ set })
  const legacy = { cookie: JSON.parse(JSON.stringify(cookie(600_000))), user: 'ada', n: 1 }

  test('is read unchanged, by the store and by the recipe', async () => {
    await put(set, 'old', { session: JSON.stringify(legacy) }, 600)
    const got = await store.get('old')
    expect(got).toMatchObject({ user: 'ada', n: 1, cookie: { originalMaxAge: 600_000, httpOnly: true, path: '/' } })
    expect(Math.abs(new Date(got.cookie.expires) - Date.now() - 600_000)).toBeLessThan(5_000)
    expect(await openSessions({ set }).get('old')).toStrictEqual({ user: 'ada', n: 1 })
    expect(await store.length()).toBe(1)
  })

  test('is upgraded by the next set', async () => {
    await put(set, 'old', { session: JSON.stringify(legacy) }, 600)
    await request(store, 'old', data => { data.n = 2 })
    const bins = await record(set, 'old')
    expect(bins.session).toBeUndefined()
    expect(bins.data).toStrictEqual({ user: 'ada', n: 2 })
    expect(bins.cookie).toMatchObject({ originalMaxAge: 600_000 })
    expect(await store.get('old')).toMatchObject({ user: 'ada', n: 2 })
  })

  test('loses no change of two requests that upgrade it', async () => {
    await put(set, 'old', { session: JSON.stringify(legacy) }, 600)
    const [one, two] = [await store.get('old'), await store.get('old')]
    one.a = 1
    two.b = 2
    await store.set('old', one)
    await store.set('old', two)
    expect(await store.get('old')).toMatchObject({ user: 'ada', a: 1, b: 2 })
  })

  test('is touched and destroyed', async () => {
    await put(set, 'old', { session: JSON.stringify(legacy) }, 600)
    await store.touch('old', { cookie: cookie(3_600_000) })
    const got = await store.get('old')
    expect(got.user).toBe('ada')
    expect(got.cookie.originalMaxAge).toBe(3_600_000)
    await store.destroy('old')
    expect(await store.get('old')).toBeNull()
    await expect(official.get('test', set, 'old')).rejects.toMatchObject({ code: NOT_FOUND })
  })
})

describe('tombstones', () => {
  const set = freshSet()
  const store = openStore({ set, tombstones: true, storeIds: true, user: 'owner' })
  const sessions = openSessions({ set, tombstones: true })

  test('replace removed sessions, outlive them, and are invisible', async () => {
    await store.set('buried', { cookie: cookie(60_000), owner: 'ada' })
    const loaded = await store.get('buried')
    await store.destroy('buried')
    const left = await official.get('test', set, 'buried')
    expect(left.bins).toStrictEqual({ data: 0 })
    expect(left.ttl).toBeGreaterThan(60)

    expect(await store.get('buried')).toBeNull()
    expect(await sessions.get('buried')).toBeNull()
    expect(await sessions.has('buried')).toBe(false)
    expect(await sessions.touch('buried')).toBe(false)
    expect(await store.all()).toStrictEqual([])
    expect(await store.ids()).toStrictEqual([])
    expect(await store.length()).toBe(0)
    store.on('warning', () => {})
    expect(await store.sessionsOf('ada')).toStrictEqual([])
    expect(await sessions.delete('buried')).toBe(false)

    loaded.owner = 'eve'
    const emitted = once(store, 'gone')
    await store.set('buried', loaded)
    await emitted
    expect(await store.get('buried')).toBeNull()
  })

  test('are invisible to stores that leave none', async () => {
    await store.set('seen', { cookie: cookie(60_000) })
    await store.destroy('seen')
    const plain = openStore({ set })
    expect(await plain.get('seen')).toBeNull()
    expect(await plain.length()).toBe(0)
    await plain.set('seen', { cookie: cookie(60_000), again: true })
    expect(await store.get('seen')).toMatchObject({ again: true })
  })

  test('are not created for missing sessions', async () => {
    await store.destroy('never')
    await expect(official.get('test', set, 'never')).rejects.toMatchObject({ code: NOT_FOUND })
  })
})

describe('an absolute ttl', () => {
  test('ends a session whatever is touched or written', async () => {
    const store = openStore({ absoluteTtl: 1 })
    await store.set('bounded', { cookie: cookie(60_000), n: 0 })
    for (let n = 1; n <= 3; n++) {
      await pass(250)
      const loaded = await store.get('bounded')
      expect(new Date(loaded.cookie.expires) - Date.now()).toBeLessThanOrEqual(1_000)
      loaded.cookie.expires = new Date(Date.now() + 60_000)
      await store.touch('bounded', loaded)
      loaded.n = n
      await store.set('bounded', loaded)
    }
    await pass(300)
    expect(await store.get('bounded')).toBeNull()
    expect(await store.length()).toBe(0)
  })

  test('counts from the first save of the recipe, not from the last', async () => {
    const sessions = openSessions({ absoluteTtl: 2 })
    const begun = Date.now()
    for (let n = 0; n < 3; n++) {
      await sessions.save('saved', { n })
      expect(await sessions.touch('saved', { ttl: 60 })).toBe(true)
      await pass(150)
    }
    await pass(begun + 2_100 - Date.now())
    expect(await sessions.get('saved')).toBeNull()
    expect(await sessions.touch('saved', { ttl: 60 })).toBe(false)
  })
})

test('an id that is saved again after its absolute ttl is a new session', async () => {
  const set = freshSet()
  const sessions = openSessions({ set, absoluteTtl: 2 })
  const store = openStore({ set, absoluteTtl: 2, user: 'owner' })
  await sessions.save('again', { n: 1 })
  await pass(1_000)
  await sessions.save('again', { n: 2 })
  await pass(1_250)
  expect(await sessions.get('again')).toBeNull()
  await sessions.save('again', { n: 3 })
  expect(await sessions.get('again')).toStrictEqual({ n: 3 })

  await store.set('owned', { cookie: cookie(60_000), owner: 'ada' })
  await store.set('owned', { cookie: cookie(60_000) })
  expect((await record(set, 'owned')).user).toBeUndefined()
})

describe('prune', () => {
  test('removes expired sessions that the server does not remove, and nothing else', async () => {
    if (!await hasNoTtlNamespace()) return console.warn('not run: the cluster has no namespace nottl')
    const set = freshSet()
    const store = openStore({ set, namespace: 'nottl' })
    store.on('warning', () => {})
    for (let n = 0; n < 40; n++) await store.set(`s${n}`, { cookie: cookie(n % 2 ? 60_000 : 100) })
    await pass(120)
    expect(await store.length()).toBe(20)
    const steps = []
    expect(await store.prune({ batch: 10, onProgress: step => steps.push(step) })).toBe(20)
    expect(steps.at(-1)).toStrictEqual({ done: 1, pruned: 20 })
    expect(await store.prune()).toBe(0)
    expect(await store.length()).toBe(20)
    expect(await official.exists('nottl', set, 's0')).toBe(false)
  })
})

describe('the order of keys', () => {
  const DATA = { z: 1, a: { y: 1, b: { q: 1, Q: 2, é: 3 }, aa: 3 }, list: [{ n: 2, m: 1 }, 'z', 'a'] }
  const SORTED = { a: { aa: 3, b: { Q: 2, q: 1, é: 3 }, y: 1 }, list: [{ m: 1, n: 2 }, 'z', 'a'], z: 1 }
  const KEY = Buffer.alloc(32, 7)

  test.each([
    ['map', {}, SORTED], ['json', {}, DATA], ['map', { encryptionKeys: [KEY] }, DATA], ['json', { encryptionKeys: [KEY] }, DATA]
  ])('with format %s and %j is that of the UTF-8 bytes, or that of the write', async (format, options, expected) => {
    const set = freshSet()
    const sessions = openSessions({ set, format, ...options })
    const store = openStore({ set, format, storeIds: true, user: 'z', ...options })
    await sessions.save('plain', DATA)
    await store.set('express', { cookie: cookie(60_000), ...DATA })
    const textOf = ({ cookie, id, ...data }) => JSON.stringify(data)
    expect(JSON.stringify(await sessions.get('plain'))).toBe(JSON.stringify(expected))
    for (const found of [await store.get('express'), ...await store.all(), ...await store.sessionsOf(1)]) {
      expect(textOf(found)).toBe(JSON.stringify(expected))
    }
    // A changed key is inserted at its place.
    await request(store, 'express', session => { session.b = 1 })
    const keys = Object.keys(await store.get('express')).filter(name => name !== 'cookie')
    expect(keys).toStrictEqual(expected === SORTED ? ['a', 'b', 'list', 'z'] : ['z', 'a', 'list', 'b'])
  })
})
