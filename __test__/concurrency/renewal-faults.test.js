'use strict'

// Renewals of session ids when a write fails or is in doubt, and together with other options: over HTTP.

const crypto = require('node:crypto')
const { setTimeout: pass } = require('node:timers/promises')
const { renew } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { AerospikeStore } = require('../..')
const { OfficialClient } = require('../support/official-client')
const { nodeReason } = require('../support/official')
const { Tab, logout, open, storedData } = require('../support/parallel-requests')
const { freshSet, hosts, openStore } = require('../support/server')

const KEY = crypto.randomBytes(32)
/** Renews, and returns what the handler sees: whether it was renewed or the error, and the id. */
const renewed = async req => {
  const outcome = await renew(req, { grace: 20 }).catch(({ code, inDoubt }) => ({ code, inDoubt }))
  return [outcome, req.sessionID]
}

describe.each([
  ['as a map', { format: 'map' }],
  ['as JSON', { format: 'json' }],
  ['encrypted, with tombstones', { encryptionKeys: [KEY], tombstones: true }]
])('a session kept %s', (_, options) => {
  let server, store, site, visitor, old, id
  const set = 'sessions'
  const next = { id: undefined }

  beforeAll(async () => {
    server = await DevServer.start()
    store = new AerospikeStore({ hosts: server.hosts, set, timeout: 600, ...options })
    store.on('warning', () => {})
    site = await open(store, { genid: () => next.id ?? crypto.randomUUID() })
  })
  afterAll(async () => {
    await store.close()
    await server.stop()
  })
  beforeEach(async () => {
    visitor = new Tab(site)
    old = await visitor.login({ user: 'ada', n: 0 })
    next.id = id = crypto.randomUUID()
  })
  afterEach(async () => {
    next.id = undefined
    site.gone.length = 0
    await server.clearFaults()
    await store.clear()
  })

  const LOST = [['the answer is lost', 'drop'], ['the connection is cut', 'reset'], ['there is no answer', 'silent']]

  test.each(LOST)('is renewed if once %s to the write of the new record', async (_, kind) => {
    await server.inject({ kind, when: 'after', on: 'write', times: 1, set, key: id })
    expect((await visitor.ask(renewed)).body).toStrictEqual([true, id])
    for (const sid of [old, id]) expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', n: 0 })
    expect(await store.length()).toBe(1)
  })

  test.each(LOST)('is renewed if once %s to the write of the alias', async (_, kind) => {
    await server.inject({ kind, when: 'after', on: 'write', times: 1, set, key: old })
    expect((await visitor.ask(renewed)).body).toStrictEqual([true, id])
    for (const sid of [old, id]) expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', n: 0 })
    expect(await store.length()).toBe(1)
  })

  test('is renewed if the answer to the write of the alias comes after the grace period', async () => {
    await server.inject({ kind: 'latency', ms: 150, when: 'after', on: 'write', set, key: old })
    await server.inject({ kind: 'reset', when: 'after', on: 'write', times: 1, set, key: old })
    const { body } = await visitor.ask(async req => [await renew(req, { grace: 0.05 }), req.sessionID])
    expect(body).toStrictEqual([true, id])
    await server.clearFaults()
    expect(await storedData(store, id)).toStrictEqual({ user: 'ada', n: 0 })
    expect((await visitor.ask(req => req.session.user)).body).toBe('ada')
  })

  test('stays under its id if the write of the new record is in doubt to the end', async () => {
    await server.inject({ kind: 'drop', when: 'after', on: 'write', set, key: id })
    const late = visitor.copy()
    const { status, body: [outcome, sid] } = await visitor.ask(async req => {
      const answer = await renewed(req)
      req.session.n = 1
      return answer
    })
    expect([status, outcome.inDoubt, sid]).toStrictEqual([200, true, old])
    await server.clearFaults()
    expect(await storedData(store, old)).toStrictEqual({ user: 'ada', n: 1 })
    expect((await late.ask(req => req.session.n)).body).toBe(1)
    // The next renewal is a new one.
    next.id = crypto.randomUUID()
    expect((await visitor.ask(renewed)).body).toStrictEqual([true, next.id])
    expect(await storedData(store, next.id)).toStrictEqual({ user: 'ada', n: 1 })
    expect((await visitor.ask(logout)).status).toBe(200)
    for (const sid of [old, next.id]) expect(await store.get(sid)).toBeNull()
  })

  test('is reached under the old id if the write of the alias is in doubt to the end', async () => {
    await server.inject({ kind: 'drop', when: 'after', on: 'write', times: 6, set, key: old })
    const late = visitor.copy()
    const { status, body: [outcome, sid] } = await visitor.ask(async req => {
      const answer = await renewed(req)
      // The end of the request writes, too.
      await server.clearFaults()
      req.session.n = 1
      return answer
    })
    expect(status).toBe(200)
    if (outcome === true) expect(sid).toBe(id)
    else expect([outcome.inDoubt, sid]).toStrictEqual([true, old])
    for (const tab of [visitor, late]) expect((await tab.ask(req => req.session.n)).body).toBe(1)
    for (const sid of [old, id]) expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', n: 1 })
    expect(await store.length()).toBe(1)
    expect((await late.ask(logout)).status).toBe(200)
    for (const sid of [old, id]) expect(await store.get(sid)).toBeNull()
  })

  test.each([['the alias', () => old], ['the new record', () => id]])('is renewed if the server refuses a TTL for %s', async (_, key) => {
    await server.inject({ kind: 'code', code: 22, on: 'write', times: 1, set, key: key() })
    expect((await visitor.ask(renewed)).body).toStrictEqual([true, id])
    for (const sid of [old, id]) expect(await storedData(store, sid)).toStrictEqual({ user: 'ada', n: 0 })
  })

  test.each([['the alias', () => old], ['the new record', () => id]])('stays as it is if writes of %s are forbidden', async (_, key) => {
    await server.inject({ kind: 'code', code: 22, on: 'write', set, key: key() })
    const { body: [outcome, sid] } = await visitor.ask(async req => {
      const answer = await renewed(req)
      await server.clearFaults()
      return answer
    })
    expect([outcome.code, sid]).toStrictEqual(['FORBIDDEN', old])
    expect(await storedData(store, old)).toStrictEqual({ user: 'ada', n: 0 })
    expect(await store.get(id)).toBeNull()
    expect(await store.length()).toBe(1)
  })
})

test.each([
  ['destroyOf', store => store.destroyOf('ada')],
  ['destroyByDigest', (store, digest) => store.destroyByDigest(digest, { of: 'ada' })],
  ['destroy', (store, _, sid) => store.destroy(sid)]
])('a session that is renewed while %s removes it is gone', async (_, remove) => {
  const server = await DevServer.start()
  const set = 'sessions'
  const [store, other] = [0, 1].map(() => new AerospikeStore({ hosts: server.hosts, set, user: 'user' }))
  try {
    const site = await open(store)
    await store.createUserIndex()
    const visitor = new Tab(site)
    const old = await visitor.login({ user: 'ada' })
    // By the time the command is carried out, the record is an alias.
    await server.inject({ kind: 'latency', ms: 500, when: 'before', on: 'delete', set, key: old })
    const removed = remove(other, store.digestOf(old), old)
    await pass(150)
    const { body: [outcome, id] } = await visitor.ask(renewed)
    expect(outcome).toBe(true)
    await removed
    for (const sid of [old, id]) expect(await store.get(sid)).toBeNull()
    expect(await store.length()).toBe(0)
  } finally {
    for (const one of [store, other]) await one.close()
    await server.stop()
  }
})

const officialReason = nodeReason()
const withOfficial = officialReason === undefined ? test : test.skip

withOfficial.each([['merge'], ['overwrite']])("values that JSON cannot show survive a renewal with conflict: '%s'", async conflict => {
  const set = freshSet()
  const store = openStore({ set, conflict })
  const site = await open(store)
  const visitor = new Tab(site)
  const official = await OfficialClient.connect(hosts())
  try {
    const old = await visitor.login({ user: 'ada' })
    const native = { bytes: Buffer.from([0, 255]), large: 9007199254740993n }
    const data = new Map([['user', 'ada'], ...Object.entries(native), [7, 'seven']])
    await official.update(['test', set, old], { data }, 7_200)
    const { body: [outcome, id] } = await visitor.ask(renewed)
    expect(outcome).toBe(true)
    const { bins } = await official.get('test', set, id)
    expect(bins.data.large).toBe(native.large)
    expect(Buffer.from(bins.data.bytes)).toStrictEqual(native.bytes)
    expect(await storedData(store, id)).toMatchObject({ user: 'ada', large: '9007199254740993', 7: 'seven' })
  } finally {
    await official.close()
    await store.clear()
  }
})

test('what the replacer stores is stored by a renewal, too', async () => {
  const options = {
    replacer: (_, value) => typeof value === 'bigint' ? { $bigint: String(value) } : value instanceof Map ? { $map: [...value] } : value,
    reviver: (_, value) => value?.$bigint !== undefined ? BigInt(value.$bigint) : value?.$map !== undefined ? new Map(value.$map) : value
  }
  const set = freshSet()
  const store = openStore({ set, ...options })
  const site = await open(store)
  const visitor = new Tab(site)
  const old = await visitor.ask(req => { Object.assign(req.session, { big: 1n, map: new Map([['a', 1]]), n: 1 }); return req.sessionID })
  const { body: seen } = await visitor.ask(async req => {
    req.session.added = 2n
    const [outcome, id] = await renewed(req)
    req.session.map.set('b', 2)
    return [outcome, id, typeof req.session.big, req.session.map instanceof Map]
  })
  expect([seen[0], ...seen.slice(2)]).toStrictEqual([true, 'bigint', true])
  for (const sid of [old.body, seen[1]]) {
    expect(await storedData(store, sid)).toStrictEqual({ big: 1n, added: 2n, map: new Map([['a', 1], ['b', 2]]), n: 1 })
  }
})

describe.each([
  ['hashed ids', { hashIds: 'a secret of more than 16 bytes' }],
  ['encryption', { encryptionKeys: [KEY] }],
  ['both, a prefix and tombstones', { hashIds: 'a secret of more than 16 bytes', encryptionKeys: [KEY], prefix: 'shop:', tombstones: true }]
])('with %s', (_, options) => {
  test.each([['new', 1], ['old', 0]])('a watch follows a renewal in another process, and ends with a logout there through the %s id', async (_, which) => {
    const set = freshSet()
    const here = openStore({ set, watchInterval: 0.1, ...options })
    const there = await open(openStore({ set, ...options }))
    const visitor = new Tab(there)
    const old = await visitor.login({ user: 'ada' })
    const tabs = [visitor.copy(), visitor]
    const watches = [here.watch(old)]
    await pass(250)
    const { body: [outcome, id] } = await visitor.ask(renewed)
    expect(outcome).toBe(true)
    watches.push(here.watch(old), here.watch(id))
    await pass(400)
    expect(watches.map(({ signal }) => signal.aborted)).toStrictEqual([false, false, false])
    expect((await tabs[which].ask(logout)).status).toBe(200)
    for (const { signal } of watches) {
      if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve))
      expect(signal.reason).toBe('gone')
    }
  })

  test('a page of devices that was made before a renewal logs the device out, and nobody else can', async () => {
    const set = freshSet()
    const store = openStore({ set, user: 'user', ...options })
    const site = await open(store)
    const visitor = new Tab(site)
    await visitor.login({ user: 'ada' })
    const late = visitor.copy()
    const digestOf = tab => tab.ask(req => [store.digestOf(req.session), store.digestOf(req.sessionID)])
    const [before] = (await digestOf(visitor)).body
    const { body: [outcome, id] } = await visitor.ask(renewed)
    expect(outcome).toBe(true)
    const after = store.digestOf(id)
    expect((await store.sessionsOf('ada')).map(({ digest }) => digest)).toStrictEqual([after])
    // The session of a request has one digest, whichever id it came with.
    expect((await digestOf(visitor)).body).toStrictEqual([after, after])
    expect((await digestOf(late)).body).toStrictEqual([after, before])
    expect(await store.destroyByDigest(before, { of: 'eve' })).toBe(false)
    expect(await storedData(store, id)).toStrictEqual({ user: 'ada' })
    expect((await late.ask(req => req.session.user)).body).toBe('ada')
    expect(await store.destroyByDigest(before, { of: 'ada' })).toBe(true)
    for (const tab of [visitor, late]) expect((await tab.ask(req => req.session.user ?? null)).body).toBeNull()
    expect(await store.destroyByDigest(before)).toBe(false)
    expect(await store.length()).toBe(0)
  })
})

test('digestOf needs a session that was loaded or stored by its id', async () => {
  const store = openStore()
  for (const wrong of [{}, [], null, undefined, 5, '']) {
    expect(() => store.digestOf(wrong)).toThrow(expect.objectContaining({ code: 'BAD_KEY' }))
  }
  const session = { cookie: { originalMaxAge: null } }
  await store.set('a', session)
  expect(store.digestOf(session)).toBe(store.digestOf('a'))
  const [listed] = await store.all()
  expect(() => store.digestOf(listed)).toThrow(expect.objectContaining({ code: 'BAD_KEY' }))
})
