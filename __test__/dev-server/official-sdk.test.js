'use strict'

// The session recipe with Aerospike's Python SDK (PyPI's `aerospike-sdk`): a map in the bin `data`, with a TTL. The SDK and the
// stores read each other's sessions.

const path = require('node:path')
const { PythonProgram, describeUnless, sdkReason } = require('../support/official')
const { freshSet, hasNoTtlNamespace, hosts, openSessions } = require('../support/server')

const set = freshSet()
const sessions = openSessions({ set, ttl: 600 })

const DATA = { user: 'ada', cart: { tea: 2, price: 2.5 }, list: [1, 'two', [null, true]], emoji: '🛒', empty: {} }

function expectAbout (seconds, expected) {
  expect(seconds).toBeGreaterThan(expected - 4)
  expect(seconds).toBeLessThanOrEqual(expected)
}

describeUnless(sdkReason, 'the Python SDK', () => {
  let python

  beforeAll(() => {
    if (sdkReason !== undefined) throw new Error(sdkReason)
    python = new PythonProgram('-B', path.join(__dirname, 'official-sdk.py'), hosts())
  })

  afterAll(() => python?.close())

  const ask = (action, id, more, namespace = 'test') => python.ask({ do: action, key: [namespace, set, id], ...more })

  test('saves a session, gets it, extends it and deletes it', async () => {
    expect(await ask('get', 'a')).toBeNull()
    expect(await ask('save', 'a', { data: DATA, ttl: 600 })).toBe(true)
    const { data, ttl } = await ask('get', 'a')
    expect(data).toStrictEqual(DATA)
    expectAbout(ttl, 600)
    expect(await ask('touch', 'a', { ttl: 5_000 })).toBe(true)
    expectAbout((await ask('get', 'a')).ttl, 5_000)
    expect(await ask('delete', 'a')).toBe(true)
    expect(await ask('get', 'a')).toBeNull()
  })

  test('finds nothing to extend or delete if there is no session', async () => {
    expect(await ask('touch', 'none', { ttl: 100 })).toBe(false)
    expect(await ask('delete', 'none')).toBe(false)
  })

  test('gets what SessionStore saved, and SessionStore gets what it saved', async () => {
    await sessions.save('ours', DATA)
    expect((await ask('get', 'ours')).data).toStrictEqual(DATA)
    await ask('save', 'theirs', { data: DATA, ttl: 600 })
    expect(await sessions.get('theirs')).toStrictEqual(DATA)
  })

  test('saves without a TTL if the namespace refuses one', async () => {
    if (!await hasNoTtlNamespace()) return
    expect(await ask('save', 'a', { data: DATA, ttl: 600 }, 'nottl')).toBe(true)
    expect(await ask('get', 'a', {}, 'nottl')).toStrictEqual({ data: DATA, ttl: null })
    expect(await ask('touch', 'a', { ttl: 600 }, 'nottl')).toBe(true)
    expect(await ask('delete', 'a', {}, 'nottl')).toBe(true)
  })
})
