'use strict'

// Aerospike's clients read what the stores write, and the other way round: npm's `aerospike` and PyPI's.

const path = require('node:path')
const { PythonProgram, describeUnless, pythonReason } = require('../support/official')
const { freshSet, hosts, openSessions, openStore } = require('../support/server')

const NAMESPACE = 'test'
const set = freshSet()
const sessions = openSessions({ set, ttl: 600 })
const store = openStore({ set })

/** Every kind of value in JSON, named after what could go wrong with it. */
const DATA = {
  one: 1,
  zero: 0,
  negative: -12345,
  aboveInt32: 2 ** 31,
  belowInt32: -(2 ** 31) - 1,
  greatestInteger: Number.MAX_SAFE_INTEGER,
  leastInteger: Number.MIN_SAFE_INTEGER,
  fraction: 0.1,
  negativeFraction: -2.5,
  largeFraction: 1.5e15 + 0.5,
  largeWhole: 1e300,
  largeNegativeWhole: -(2 ** 60),
  tiny: 5e-324,
  latin: 'Crème brûlée',
  cyrillic: 'Доброе утро',
  arabic: 'صباح الخير',
  chinese: '早上好',
  hindi: 'सुप्रभात',
  emoji: '🛒 👩‍👩‍👧 🇺🇳',
  // Except NUL: the C library of both clients takes it for the end of a string.
  escapes: 'a "quote", a \\, a\ttab, \u0001, \u2028',
  emptyText: '',
  longText: 'x'.repeat(70_000),
  yes: true,
  no: false,
  nothing: null,
  list: [1, 'two', 3.5, null, true, [4, [5, []]], { six: { seven: [8] } }],
  emptyList: [],
  map: { a: { b: { c: { d: 'deep' } } }, 'key with spaces': 1, ключ: [{}], '': 'empty key', 7: 'digits' },
  emptyMap: {}
}

/** Returns the seconds from now until a session's cookie expires. */
function secondsLeft ({ cookie }) {
  return (new Date(cookie.expires).getTime() - Date.now()) / 1_000
}

/** Checks a TTL that was set up to three seconds ago. */
function expectAbout (seconds, expected) {
  expect(seconds).toBeGreaterThan(expected - 4)
  expect(seconds).toBeLessThanOrEqual(expected + 1)
}

/** @returns {{ aerospike?: typeof import('aerospike'), reason?: string }} */
function loadAerospike () {
  try {
    return { aerospike: require('aerospike') }
  } catch (error) {
    return { reason: `npm's aerospike does not load: ${error.message.split('\n')[0]}` }
  }
}

const { aerospike, reason: nodeReason } = loadAerospike()

describeUnless(nodeReason, 'the official Node.js client', () => {
  /** @type {import('aerospike').Client} */
  let client

  beforeAll(async () => {
    aerospike.setDefaultLogging({ level: aerospike.log.OFF })
    client = await aerospike.connect({ hosts: hosts() })
  })

  afterAll(() => client?.close(true))

  const key = id => new aerospike.Key(NAMESPACE, set, id)
  const put = (id, data, ttl) => client.put(key(id), { data }, { ttl })

  test('reads the native map that SessionStore.save wrote, field by field', async () => {
    await sessions.save('node-reads', DATA)
    const { data } = (await client.get(key('node-reads'))).bins
    for (const name of Object.keys(DATA)) expect({ [name]: data[name] }).toStrictEqual({ [name]: DATA[name] })
    expect(Object.keys(data).sort()).toEqual(Object.keys(DATA).sort())
  })

  test('reads the session that AerospikeStore.set wrote, without its cookie', async () => {
    await store.set('node-reads-express', { cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000), path: '/' }, user: 'ada', cart: { tea: 2 } })
    const { bins, ttl } = await client.get(key('node-reads-express'))
    expect(bins.data).toStrictEqual({ user: 'ada', cart: { tea: 2 } })
    expectAbout(ttl, 60)
  })

  test('writes what SessionStore.get reads, field by field', async () => {
    // Without this the client writes a whole number as a 64-bit integer.
    await put('node-writes', { ...DATA, largeWhole: new aerospike.Double(DATA.largeWhole), wholeDouble: new aerospike.Double(3) }, 600)
    const got = await sessions.get('node-writes')
    const expected = { ...DATA, wholeDouble: 3 }
    expect(Object.keys(got).sort()).toEqual(Object.keys(expected).sort())
    for (const name of Object.keys(expected)) expect({ [name]: got[name] }).toStrictEqual({ [name]: expected[name] })
  })

  test('writes values that JSON cannot express, and SessionStore.get rounds none of them', async () => {
    await put('node-writes-more', { big: 2n ** 63n - 1n, exact: 2n ** 60n, bytes: Buffer.from([0, 1, 255]) }, 600)
    expect(await sessions.get('node-writes-more')).toStrictEqual({
      big: '9223372036854775807', exact: 2 ** 60, bytes: { type: 'Buffer', data: [0, 1, 255] }
    })
  })

  test('writes a session that AerospikeStore.get returns with a cookie made from its TTL', async () => {
    await put('node-writes-express', { user: 'ada' }, 1_000)
    const { cookie, ...data } = await store.get('node-writes-express')
    expect(data).toStrictEqual({ user: 'ada' })
    expectAbout(secondsLeft({ cookie }), 1_000)
  })

  test('sees the TTL of SessionStore, on save and on touch', async () => {
    await sessions.save('ttl', { n: 1 }, { ttl: 100 })
    expectAbout((await client.get(key('ttl'))).ttl, 100)
    await sessions.touch('ttl', { ttl: 5_000 })
    expectAbout((await client.get(key('ttl'))).ttl, 5_000)
  })

  test("and SessionStore see each other's changes and removals", async () => {
    await sessions.save('both', { by: 'SessionStore', n: 1 })
    await put('both', { by: 'client', n: 2 }, 700)
    expect(await sessions.get('both')).toStrictEqual({ by: 'client', n: 2 })
    await sessions.save('both', { by: 'SessionStore', n: 3 })
    expect((await client.get(key('both'))).bins.data).toStrictEqual({ by: 'SessionStore', n: 3 })
    await client.remove(key('both'))
    expect(await sessions.get('both')).toBeNull()
    await put('both', { n: 4 }, 700)
    expect(await sessions.delete('both')).toBe(true)
    expect(await client.exists(key('both'))).toBe(false)
  })

  test('extends a session with its own touch, and both stores see the new expiry', async () => {
    await store.set('extended', { cookie: { originalMaxAge: 20_000, expires: new Date(Date.now() + 20_000), path: '/' }, n: 1 })
    await client.operate(key('extended'), [aerospike.operations.touch()], { ttl: 3_000 })
    expectAbout(secondsLeft(await store.get('extended')), 3_000)
    expect(await sessions.get('extended')).toStrictEqual({ n: 1 })
  })
})

/** Tags a value with its type, in the format of official-clients.py. */
function tag (value) {
  if (value === null) return { null: true }
  if (typeof value === 'boolean') return { bool: value }
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return { int: String(value) }
  if (typeof value === 'number') return { float: value }
  if (typeof value === 'string') return { text: value }
  if (Buffer.isBuffer(value)) return { bytes: value.toString('base64') }
  if (Array.isArray(value)) return { list: value.map(tag) }
  return { map: Object.entries(value).map(([key, item]) => [key, tag(item)]) }
}

/** Returns a tagged map as an object of tagged fields. Sorts nested maps, which have no order in Aerospike. */
function fields ({ map }) {
  return Object.fromEntries(map.map(([key, tagged]) => [key, ordered(tagged)]))
}

function ordered (tagged) {
  if ('list' in tagged) return { list: tagged.list.map(ordered) }
  if ('map' in tagged) return { map: fields(tagged) }
  return tagged
}

describeUnless(pythonReason, 'the official Python client', () => {
  let python

  beforeAll(() => { python = new PythonProgram(path.join(__dirname, 'official-clients.py'), hosts()) })

  afterAll(() => python?.close())

  const ask = (id, command) => python.ask({ ...command, key: [NAMESPACE, set, id] })
  const put = (id, data, ttl) => ask(id, { do: 'put', data: tag(data), ttl })

  test('reads the native map that SessionStore.save wrote, field by field and type by type', async () => {
    await sessions.save('python-reads', DATA)
    const read = fields((await ask('python-reads', { do: 'get' })).data)
    const expected = fields(tag(DATA))
    for (const name of Object.keys(expected)) expect({ [name]: read[name] }).toStrictEqual({ [name]: expected[name] })
    expect(Object.keys(read).sort()).toEqual(Object.keys(DATA).sort())
  })

  test('writes what SessionStore.get reads, field by field', async () => {
    await put('python-writes', DATA, 600)
    const got = await sessions.get('python-writes')
    for (const name of Object.keys(DATA)) expect({ [name]: got[name] }).toStrictEqual({ [name]: DATA[name] })
    expect(Object.keys(got).sort()).toEqual(Object.keys(DATA).sort())
  })

  test('writes values that JSON cannot express, and SessionStore.get rounds none of them', async () => {
    await put('python-writes-more', { big: 2n ** 63n - 1n, low: -(2n ** 53n) - 1n, bytes: Buffer.from([0, 1, 255]) }, 600)
    expect(await sessions.get('python-writes-more')).toStrictEqual({
      big: '9223372036854775807', low: '-9007199254740993', bytes: { type: 'Buffer', data: [0, 1, 255] }
    })
  })

  test('writes a session that AerospikeStore.get returns with a cookie made from its TTL', async () => {
    await put('python-writes-express', { user: 'ada' }, 1_000)
    const { cookie, ...data } = await store.get('python-writes-express')
    expect(data).toStrictEqual({ user: 'ada' })
    expectAbout(secondsLeft({ cookie }), 1_000)
  })

  test('sees the TTL of SessionStore, on save and on touch', async () => {
    await sessions.save('python-ttl', { n: 1 }, { ttl: 100 })
    expectAbout((await ask('python-ttl', { do: 'get' })).ttl, 100)
    await sessions.touch('python-ttl', { ttl: 5_000 })
    expectAbout((await ask('python-ttl', { do: 'get' })).ttl, 5_000)
  })

  test("and SessionStore see each other's changes and removals", async () => {
    await sessions.save('python-both', { by: 'SessionStore', n: 1 })
    await put('python-both', { by: 'python', n: 2.5 }, 700)
    expect(await sessions.get('python-both')).toStrictEqual({ by: 'python', n: 2.5 })
    await sessions.save('python-both', { by: 'SessionStore', n: 3 })
    expect((await ask('python-both', { do: 'get' })).data).toStrictEqual(tag({ by: 'SessionStore', n: 3 }))
    await ask('python-both', { do: 'remove' })
    expect(await sessions.get('python-both')).toBeNull()
    await put('python-both', { n: 4 }, 700)
    expect(await sessions.delete('python-both')).toBe(true)
    expect(await ask('python-both', { do: 'get' })).toBeNull()
  })

  test('extends a session with its own touch, and both stores see the new expiry', async () => {
    await store.set('python-extended', { cookie: { originalMaxAge: 20_000, expires: new Date(Date.now() + 20_000), path: '/' }, n: 1 })
    await ask('python-extended', { do: 'touch', ttl: 3_000 })
    expectAbout(secondsLeft(await store.get('python-extended')), 3_000)
    expect(await sessions.get('python-extended')).toStrictEqual({ n: 1 })
  })
})
