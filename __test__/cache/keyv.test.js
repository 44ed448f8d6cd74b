'use strict'

// KeyvAerospike with Keyv 5 and 6, and by itself.

const { tracingChannel } = require('node:diagnostics_channel')
const { setTimeout: pause } = require('node:timers/promises')
const { once } = require('node:events')
const { AerospikeStore, SessionStore } = require('../..')
const { KeyvAerospike } = require('../../exports/keyv')
const { OfficialClient } = require('../support/official-client')
const { cleanups, open, start } = require('../support/opened')
const { everythingIn, open: decrypt } = require('../support/record')
const { putRaw } = require('../support/raw-record')
const { freshSet, hasNoTtlNamespace, hosts } = require('../support/server')

jest.setTimeout(30_000)

const SECRET = 'a secret of at least 16 bytes'
const KEY = Buffer.alloc(32, 9)

let client, official
beforeAll(async () => {
  client = new SessionStore({ hosts: hosts() })
  official = await OfficialClient.connect(hosts())
})
afterAll(async () => {
  await client.close()
  await official.close()
})

/** Opens an adapter, whose entries are removed after the test. `namespace`: Keyv's. */
function adapter ({ namespace, ...options } = {}) {
  const opened = new KeyvAerospike({ client, set: freshSet(), throwOnErrors: true, ...options })
  if (namespace !== undefined) opened.namespace = namespace
  cleanups.push(() => opened.client.connected === false ? undefined : opened.clear())
  return opened
}

const key = (set, key) => ['test', set, key]
const numbered = (count, name = 'k') => Array.from({ length: count }, (_, n) => `${name}${n}`)

async function all (iterator) {
  const found = []
  for await (const entry of iterator) found.push(entry)
  return found.sort()
}

describe.each([
  ['5', () => require('keyv').Keyv],
  ['6', () => require('keyv6').Keyv]
])('with Keyv %s', (version, load) => {
  /** Opens a Keyv, with its adapter's entries removed after the test. */
  function keyv (namespace, set = freshSet(), options = {}) {
    const Keyv = load()
    const opened = new Keyv({ store: adapter({ set, ...options }), namespace, throwOnErrors: true })
    cleanups.push(() => opened.clear())
    return opened
  }

  test('values of all kinds come back', async () => {
    const cache = keyv('kinds')
    const values = [0, '', false, null, 'text', 'ünïcödé ☃ 😀', { a: [1, { b: null }] }, [1, 'two'], Buffer.from([0, 255, 128])]
    for (const [n, value] of values.entries()) {
      await cache.set(`v${n}`, value)
      expect(await cache.get(`v${n}`)).toEqual(value)
    }
    expect(await cache.getMany(values.map((_, n) => `v${n}`))).toEqual(values)
  })

  test('an entry ends when its ttl is over, and an entry without one does not', async () => {
    const cache = keyv('ttl')
    const began = performance.now()
    await cache.set('short', 'x', 300)
    await cache.set('long', 'x')
    const early = await cache.get('short')
    if (performance.now() - began < 300) expect(early).toBe('x')
    await pause(310)
    expect(await cache.get('short')).toBeUndefined()
    expect(await cache.has('short')).toBe(false)
    expect(await cache.get('long')).toBe('x')
    await cache.set('long', 'y', 60_000)
    await cache.set('long', 'z')
    expect(await cache.get('long')).toBe('z')
  })

  test('namespaces have entries of their own', async () => {
    const set = freshSet()
    const [a, b, none] = [keyv('a', set), keyv('a:b', set), keyv(undefined, set)]
    none.namespace = undefined
    await a.set('b:c', 'of a')
    await b.set('c', 'of a:b')
    await none.set('a:b:c', 'of none')
    expect(await a.get('b:c')).toBe('of a')
    expect(await b.get('c')).toBe('of a:b')
    expect(await none.get('a:b:c')).toBe('of none')
    expect(await all(a.iterator())).toEqual([['b:c', 'of a']])
    await none.clear()
    expect(await none.get('a:b:c')).toBeUndefined()
    await b.clear()
    expect(await b.get('c')).toBeUndefined()
    expect(await a.get('b:c')).toBe('of a')
  })

  test('many entries at once', async () => {
    const cache = keyv('many')
    const keys = numbered(2_500)
    expect(await cache.setMany(keys.map(key => ({ key, value: `value of ${key}`, ttl: 60_000 })))).toEqual(keys.map(() => true))
    expect(await cache.getMany(['none', ...keys])).toEqual([undefined, ...keys.map(key => `value of ${key}`)])
    expect(await cache.hasMany(['k1', 'none'])).toEqual([true, false])
    expect((await all(cache.iterator())).map(([key]) => key)).toEqual([...keys].sort())
    await cache.deleteMany(keys.slice(1))
    expect(await all(cache.iterator())).toEqual([['k0', 'value of k0']])
    expect(await cache.delete('k0')).toBe(true)
    expect(await cache.delete('k0')).toBe(false)
  })

  test('emits errors, and answers as if the cache were empty', async () => {
    const server = await start()
    const own = open(server, { timeout: 300 })
    const cache = new (load())({ store: new KeyvAerospike({ client: own }), namespace: 'down' })
    const codes = []
    cache.on('error', ({ code }) => codes.push(code))
    await cache.set('a', 1)
    await server.stop()
    expect(await cache.get('a')).toBeUndefined()
    expect(await cache.set('a', 2)).toBe(false)
    expect(await cache.getMany(['a', 'b'])).toEqual([undefined, undefined])
    expect(await cache.has('a')).toBe(false)
    expect(await cache.delete('a')).toBe(false)
    await cache.clear()
    expect(codes.length).toBeGreaterThanOrEqual(6)
    expect([...new Set(codes)].filter(code => !['UNAVAILABLE', 'TIMEOUT'].includes(code))).toEqual([])
  })

  test('disconnect closes a client of its own, and not a shared one', async () => {
    const shared = keyv('shared')
    await shared.disconnect()
    await shared.set('a', 1)
    expect(await shared.get('a')).toBe(1)
    const store = new KeyvAerospike({ hosts: hosts(), set: freshSet() })
    const own = new (load())({ store, namespace: 'own' })
    await own.set('a', 1)
    await own.clear()
    await own.disconnect()
    await expect(store.client.has('a')).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('records', () => {
  test('hold the value, the end and the key, and end with the entry', async () => {
    const set = freshSet()
    const cache = adapter({ set })
    const before = Date.now()
    await cache.set('a', 'value', 2_500)
    const after = Date.now()
    const { bins, ttl } = await official.get(...key(set, 'a'))
    expect(Object.keys(bins).sort()).toEqual(['cached', 'expires', 'key'])
    expect(bins).toMatchObject({ cached: 'value', key: 'a' })
    expect(bins.expires).toBeGreaterThanOrEqual(before + 2_500)
    expect(bins.expires).toBeLessThanOrEqual(after + 2_500)
    expect(ttl).toBeGreaterThanOrEqual(2)
    expect(ttl).toBeLessThanOrEqual(3)
    await cache.set('a', 'no end')
    const { bins: later, ttl: never } = await official.get(...key(set, 'a'))
    expect(Object.keys(later).sort()).toEqual(['cached', 'key'])
    expect(never).toBe(-1)
  })

  test('hold the prefix and the namespace', async () => {
    const set = freshSet()
    const cache = adapter({ set, prefix: 'shop', namespace: 'prices' })
    await cache.set('apple', '1')
    const { bins } = await official.get(...key(set, 'shop\x1fprices\x1fapple'))
    expect(bins).toEqual({ cached: '1', key: 'apple', prefix: 'shop\x1fprices\x1f' })
  })

  test('hold no text with encryption, and cannot be moved', async () => {
    const set = freshSet()
    const cache = adapter({ set, encryptionKeys: [KEY.toString('base64')] })
    await cache.set('a secret key', JSON.stringify({ a: 'secret value' }))
    const { bins, digest } = await official.get(...key(set, 'a secret key'))
    expect(everythingIn(bins)).not.toMatch(/secret/)
    expect(decrypt(KEY, digest, 'cached', bins.cached)).toEqual({ a: 'secret value' })
    expect(await all(cache.iterator())).toEqual([['a secret key', '{"a":"secret value"}']])
    await official.put(key(set, 'another'), { cached: bins.cached, key: bins.key })
    await expect(cache.get('another')).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.not.stringMatching(/secret/) })
    expect(await all(cache.iterator())).toHaveLength(1)
  })

  test('hold no keys with hashIds', async () => {
    const set = freshSet()
    const cache = adapter({ set, hashIds: SECRET })
    await cache.set('a key', '1')
    expect(await cache.get('a key')).toBe('1')
    expect(await official.exists(...key(set, 'a key'))).toBe(false)
    await expect(cache.iterator().next()).rejects.toMatchObject({ code: 'BAD_OPTION', message: expect.stringContaining("'storeKeys'") })
    await cache.clear()
    expect(await cache.get('a key')).toBeUndefined()
  })

  test('take encryption and hashing from the client', async () => {
    const set = freshSet()
    const own = new SessionStore({ hosts: hosts(), encryptionKeys: [KEY.toString('base64')], hashIds: SECRET })
    cleanups.push(() => own.close())
    await adapter({ set, client: own }).set('a', '1')
    expect(await adapter({ set, encryptionKeys: [KEY.toString('base64')], hashIds: SECRET }).get('a')).toBe('1')
    expect(await adapter({ set }).get('a')).toBeUndefined()
  })

  test('of other applications in the same set stay, and are not shown', async () => {
    const set = freshSet()
    const cache = adapter({ set })
    const sessions = new AerospikeStore({ client, prefix: '' })
    const record = key(set, 'of another application')
    await official.put(record, { data: { a: 1 }, expires: Date.now() + 60_000 })
    await official.put(key(set, 'odd'), { cached: 17, key: 'odd' })
    await cache.set('a', '1')
    expect(await cache.get('of another application')).toBeUndefined()
    await expect(cache.get('odd')).rejects.toMatchObject({ code: 'BAD_DATA' })
    expect(await all(cache.iterator())).toEqual([['a', '1']])
    await cache.clear()
    expect(await cache.get('a')).toBeUndefined()
    expect(await official.exists(...record)).toBe(true)
    expect(sessions.client).toBe(client)
  })

  test('with bytes that are no text are refused, and do not break the others', async () => {
    const set = freshSet()
    const cache = adapter({ set, throwOnErrors: false })
    await putRaw(hosts(), ['test', set, 'bad'], { cached: ['string', Buffer.from([0xff, 0xfe])], key: ['string', Buffer.from('bad')] })
    await cache.set('good', '1')
    const errors = []
    cache.on('error', error => errors.push(error.code))
    expect(await cache.getMany(['bad', 'good'])).toEqual([undefined, '1'])
    expect(errors).toEqual(['BAD_DATA'])
    expect(await cache.delete('bad')).toBe(true)
  })

  test('of another prefix are not overwritten', async () => {
    const set = freshSet()
    const [plain, prefixed] = [adapter({ set }), adapter({ set, prefix: 'p' })]
    await prefixed.set('a', 'of p')
    await expect(plain.set('p\x1f\x1fa', 'x')).rejects.toMatchObject({ code: 'BAD_KEY' })
    expect(await plain.get('p\x1f\x1fa')).toBeUndefined()
    expect(await plain.delete('p\x1f\x1fa')).toBe(false)
    expect(await prefixed.get('a')).toBe('of p')
  })

  test('in a namespace that refuses TTLs end on time', async () => {
    if (!await hasNoTtlNamespace()) return
    const own = new SessionStore({ hosts: hosts(), namespace: 'nottl' })
    const warnings = []
    own.on('warning', ({ code }) => warnings.push(code))
    cleanups.push(() => own.close())
    const cache = adapter({ client: own })
    await cache.setMany([{ key: 'a', value: '1', ttl: 300 }, { key: 'b', value: '2', ttl: 60_000 }, { key: 'c', value: '3' }])
    await pause(320)
    expect(await cache.getMany(['a', 'b', 'c'])).toEqual([undefined, '2', '3'])
    expect(warnings).toEqual(['TTL_REFUSED'])
  })
})

describe('several calls', () => {
  test('on one key are carried out in order, without waiting', async () => {
    const cache = adapter()
    const calls = numbered(200).flatMap((value, n) => [cache.set('a', value), ...n % 10 === 0 ? [cache.get('a')] : []])
    expect((await Promise.all(calls)).filter(answer => answer !== true)).toEqual(numbered(200).filter((_, n) => n % 10 === 0))
    expect(await cache.get('a')).toBe('k199')
  })

  test('a hundred reads or writes are one batch', async () => {
    const cache = adapter()
    const entries = numbered(100).map(key => ({ key, value: key }))
    // Until the sizes of values are known, a batch is smaller.
    await cache.setMany(entries)
    const count = async run => {
      const before = cache.client.stats()
      await run()
      const after = cache.client.stats()
      return [after.batches - before.batches, after.batched - before.batched]
    }
    const { nodes } = cache.client.stats()
    for (const run of [() => cache.getMany(numbered(100)), () => cache.setMany(entries), () => cache.deleteMany(numbered(100))]) {
      expect(await count(run)).toEqual([nodes.length, 100])
    }
  })

  test('a key that occurs twice has one answer, and the last value counts', async () => {
    const cache = adapter()
    expect(await cache.setMany([{ key: 'a', value: '1' }, { key: 'b', value: '2' }, { key: 'a', value: '3' }])).toEqual([true, true, true])
    expect(await cache.getMany(['a', 'b', 'a'])).toEqual(['3', '2', '3'])
  })

  test('none are no request', async () => {
    const cache = adapter()
    expect([await cache.getMany([]), await cache.setMany([]), await cache.hasMany([]), await cache.deleteMany([])]).toEqual([[], [], [], false])
  })
})

describe('errors', () => {
  test('of values that are too large', async () => {
    const cache = adapter({ throwOnErrors: false })
    const errors = []
    cache.on('error', ({ code, message }) => errors.push([code, message]))
    expect(await cache.set('big', 'x'.repeat(2_000_000))).toBe(false)
    expect(await cache.set('bigger', 'x'.repeat(9_000_000))).toBe(false)
    expect(await cache.setMany([{ key: 'a', value: '1' }, { key: 'big', value: 'x'.repeat(2_000_000) }])).toEqual([true, false])
    expect(errors).toEqual([
      ['TOO_BIG', 'cache.set: the value is larger than the server stores in one record'],
      ['TOO_BIG', 'cache.set: the value is larger than the server stores in one record'],
      ['TOO_BIG', 'cache.setMany: the value is larger than the server stores in one record']
    ])
    expect(await cache.getMany(['a', 'big'])).toEqual(['1', undefined])
  })

  test.each([
    ['a key that is no string', cache => cache.get(1), 'BAD_KEY', 'a key must be a string, not a number'],
    ['an empty key', cache => cache.delete(''), 'BAD_KEY', 'a key must not be empty'],
    ['a key with a lone surrogate', cache => cache.has('\ud800'), 'BAD_KEY', 'a key must be well-formed Unicode'],
    ['a key that is too long', cache => cache.getMany(['a', 'x'.repeat(65_537)]), 'BAD_KEY', 'a key must be at most 65536 bytes long'],
    ['a value that is no string', cache => cache.set('a', { a: 1 }), 'BAD_DATA', 'a value must be a string, not an object: the cache needs a serializer'],
    ['a value with a lone surrogate', cache => cache.setMany([{ key: 'a', value: '\ud800' }]), 'BAD_DATA', 'a value must be well-formed Unicode'],
    ['a ttl that is no number', cache => cache.set('a', '1', '60'), 'BAD_OPTION', 'a ttl must be a number of milliseconds, not a string'],
    ['a ttl that is NaN', cache => cache.set('a', '1', NaN), 'BAD_OPTION', 'a ttl must be a number of milliseconds, not NaN']
  ])('of %s', async (_, run, code, message) => {
    await expect(run(adapter())).rejects.toMatchObject({ code, message })
  })

  test('without a listener do not end the process', async () => {
    const cache = adapter({ throwOnErrors: false })
    expect(await cache.get('')).toBeUndefined()
    const seen = once(cache, 'error')
    await cache.get('')
    expect((await seen)[0]).toMatchObject({ code: 'BAD_KEY' })
  })

  test('of a closed client', async () => {
    const own = new SessionStore({ hosts: hosts() })
    const cache = new KeyvAerospike({ client: own, throwOnErrors: true })
    await own.close()
    for (const run of [() => cache.get('a'), () => cache.getMany(['a']), () => cache.clear(), () => cache.iterator().next()]) {
      await expect(run()).rejects.toMatchObject({ code: 'CLOSED' })
    }
    expect(own.stats().operations).toMatchObject({ 'cache.get': { ok: 0, errors: { CLOSED: 1 } }, 'cache.clear': { ok: 0, errors: { CLOSED: 1 } } })
  })

  test.each([
    [{ sett: 'a' }, "unknown option 'sett'"],
    [{ set: 'sessions' }, "option 'set' must not be 'sessions': the client keeps its sessions there"],
    [{ prefix: 'a\x1fb' }, "option 'prefix' must not contain the character U+001F"],
    [{ client: {} }, "option 'client' must be a SessionStore, not an object"],
    [{ storeKeys: true, hashIds: SECRET }, "options 'storeKeys' and 'hashIds' contradict each other"],
    [{ throwOnErrors: 1 }, "option 'throwOnErrors' must be"],
    [{ hashIds: undefined }, "option 'hashIds' is undefined"]
  ])('of options %j', (options, message) => {
    expect(() => new KeyvAerospike({ client, ...options })).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining(message) }))
  })

  test('of options of the connection beside a shared client', () => {
    expect(() => new KeyvAerospike({ client, hosts: 'a' })).toThrow("option 'hosts' belongs to the client: give it to the SessionStore")
    expect(() => { adapter().namespace = 'a\x1fb' }).toThrow("option 'namespace' must not contain the character U+001F")
  })
})

test('operations are published on diagnostics channels, without keys', async () => {
  const set = freshSet()
  const cache = adapter({ set })
  const messages = []
  const names = ['get', 'has', 'set', 'delete', 'getMany', 'setMany', 'hasMany', 'deleteMany', 'clear', 'entries']
  const channels = names.map(name => tracingChannel(`aerospike-session:cache.${name}`))
  const listener = { asyncEnd: message => messages.push(message) }
  for (const channel of channels) channel.subscribe(listener)
  try {
    await cache.get('secret')
    await cache.set('secret', 'x')
    await cache.get('secret')
    await cache.has('secret')
    await cache.getMany(['secret'])
    await cache.setMany([{ key: 'secret', value: 'x' }])
    await cache.hasMany(['secret'])
    await all(cache.iterator())
    await cache.delete('secret')
    await cache.deleteMany(['secret'])
    await cache.clear()
    await cache.get('').catch(() => {})
  } finally {
    for (const channel of channels) channel.unsubscribe(listener)
  }
  const seen = messages.map(({ operation, outcome }) => `${operation} ${outcome}`)
  expect([...new Set(seen)]).toEqual([
    'cache.get miss', 'cache.set ok', 'cache.get hit', 'cache.has hit', 'cache.getMany ok', 'cache.setMany ok', 'cache.hasMany ok', 'cache.entries ok',
    'cache.delete hit', 'cache.deleteMany ok', 'cache.clear ok', 'cache.get error'
  ])
  expect(messages[0]).toMatchObject({ namespace: 'test', set, duration: expect.any(Number) })
  expect(JSON.stringify(messages)).not.toContain('secret')
})

test('sessions, limits and caches of one client are counted by kind', async () => {
  const own = new SessionStore({ hosts: hosts(), set: freshSet() })
  cleanups.push(() => own.close())
  const cache = adapter({ client: own })
  await own.save('a', {})
  await own.delete('a')
  await cache.set('a', '1')
  await cache.getMany(['a'])
  const { operations, latency } = own.stats()
  expect(operations).toEqual({
    save: { ok: 1, errors: {} }, delete: { ok: 1, errors: {} }, 'cache.set': { ok: 1, errors: {} }, 'cache.getMany': { ok: 1, errors: {} }
  })
  // The histogram is about sessions.
  expect(latency.counts.reduce((sum, count) => sum + count)).toBe(2)
})
