'use strict'

// Malformed input of visitors and applications: a clear error or an exact round trip.

const fc = require('fast-check')
const { SessionStore, AerospikeStore } = require('../..')
const { openSessions, openStore } = require('../support/server')
const { WireTap } = require('../support/wire-tap')

const sessions = openSessions()
const store = openStore()

const caught = promise => promise.then(() => { throw new Error('no error') }, error => error)

describe('a session id', () => {
  test.each([
    ['of 10 kB', 'x'.repeat(10_240)],
    ['with a NUL', 'a\0b'],
    ['that is a NUL', '\0'],
    ['of emoji', '👩‍🚀🏳️‍🌈'],
    ['called __proto__', '__proto__'],
    ['with line breaks and semicolons', 'a\r\n;b=c\tnamespace:test'],
    ['of 64 kB', 'y'.repeat(65_536)]
  ])('%s is a key like any other', async (_, id) => {
    await sessions.save(id, { id: 'mine' })
    expect(await sessions.get(id)).toStrictEqual({ id: 'mine' })
    expect(await sessions.get([...id].slice(1).join('') + 'z')).toBeNull()
    expect(await sessions.delete(id)).toBe(true)
  })

  test.each([
    ['empty', ''],
    ['longer than 64 kB', 'y'.repeat(65_537)],
    ['with a lone surrogate', 'a\ud800'],
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['an object', { toString: () => 'a' }],
    ['an array', ['a']]
  ])('that is %s is rejected with BAD_KEY, by promise and by callback', async (_, id) => {
    expect((await caught(sessions.get(id))).code).toBe('BAD_KEY')
    expect((await caught(sessions.save(id, {}))).code).toBe('BAD_KEY')
    expect((await caught(store.destroy(id))).code).toBe('BAD_KEY')
    const error = await new Promise(resolve => store.get(id, resolve))
    expect(error.code).toBe('BAD_KEY')
  })
})

describe('session data', () => {
  const cycle = {}
  cycle.self = { cycle }
  test.each([
    ['with a BigInt', { n: 1n }],
    ['with a cycle', cycle],
    ['whose toJSON throws', { toJSON () { throw new Error('theirs') } }],
    ['with a getter that throws', { get x () { throw new Error('theirs') } }]
  ])('%s is rejected with BAD_DATA and the cause', async (_, data) => {
    const error = await caught(sessions.save('bad', data))
    expect(error.code).toBe('BAD_DATA')
    expect(error.cause).toBeInstanceOf(Error)
    const received = await new Promise(resolve => store.set('bad', data, resolve))
    expect(received.code).toBe('BAD_DATA')
    expect(await sessions.get('bad')).toBeNull()
  })

  test.each([
    ['undefined', undefined], ['null', null], ['a string', 'a'], ['a number', 5], ['an array', [1]], ['a function', () => {}],
    ['an object that turns into a string', { toJSON: () => 'a' }],
    ['an object that turns into an array', { toJSON: () => [1] }],
    ['an object that turns into nothing', { toJSON: () => undefined }]
  ])('that is %s is rejected with BAD_DATA', async (_, data) => {
    expect((await caught(sessions.save('bad', data))).code).toBe('BAD_DATA')
  })

  /** Returns `{ a: { a: ... } }`, nested this deep. */
  const nested = depth => JSON.parse('{"a":'.repeat(depth - 1) + '{}' + '}'.repeat(depth - 1))

  test('is returned if it is nested 100 deep, and rejected from 101 on', async () => {
    await sessions.save('deep', nested(100))
    expect(await sessions.get('deep')).toStrictEqual(nested(100))
    for (const depth of [101, 200, 1_000]) {
      const error = await caught(sessions.save('deep', nested(depth)))
      expect(error).toMatchObject({ code: 'BAD_DATA', message: expect.stringMatching(/nested deeper than 100/) })
    }
    // So deep that JSON.stringify itself fails.
    expect((await caught(sessions.save('deep', nested(100_000)))).code).toBe('BAD_DATA')
    expect(await sessions.get('deep')).toStrictEqual(nested(100))
  })

  test('with keys of the prototype is returned with own keys, and changes no prototype', async () => {
    const data = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"hasOwnProperty":1}')
    await sessions.save('proto', data)
    const got = await sessions.get('proto')
    expect(Object.keys(got).sort()).toStrictEqual(['__proto__', 'constructor', 'hasOwnProperty'])
    expect(JSON.stringify(Object.entries(got).sort())).toBe(JSON.stringify(Object.entries(data).sort()))
    expect({}.polluted).toBeUndefined()
    expect(Object.getPrototypeOf(got)).toBe(Object.prototype)
  })

  test("with keys named like the record's own bins is kept separate from them", async () => {
    const data = { cookie: 'mine', expires: 1, created: 'x', user: null, prefix: [], data: { data: 1 } }
    await sessions.save('bins', data)
    expect(await sessions.get('bins')).toStrictEqual(data)
  })

  test('with lone surrogates is returned exactly', async () => {
    const data = { a: '\ud800', '\udfff': ['x\udc00y', { b: '\ud83d\ude00' }], plain: 'ok' }
    await sessions.save('lone', data)
    expect(await sessions.get('lone')).toStrictEqual(data)
    const session = { cookie: { originalMaxAge: null, path: '/\ud800' }, ...data }
    await store.set('lone', session)
    expect(await store.get('lone')).toStrictEqual({ ...session, cookie: { ...session.cookie, expires: null } })
  })

  test('with numbers of every kind is returned exactly', async () => {
    const numbers = [0, -1, 127, 128, -128, -129, 65_535, 65_536, 2 ** 31, -(2 ** 31) - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 53), 2 ** 53 + 2,
      2 ** 63, 1e21, -1e300, 5e-324, 0.1, 1 / 3, Number.MAX_VALUE, 123456789.125]
    await sessions.save('numbers', { numbers })
    expect(await sessions.get('numbers')).toStrictEqual({ numbers })
  })

  test('with 10,000 keys is returned', async () => {
    const data = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`key ${n}`, n]))
    await sessions.save('many', data)
    expect(await sessions.get('many')).toStrictEqual(data)
  })

  test('of any shape is returned as JSON converts it', async () => {
    const text = fc.string({ unit: 'binary' })
    const json = fc.letrec(tie => ({
      value: fc.oneof({ maxDepth: 5 }, fc.constant(null), fc.boolean(), fc.integer(), fc.maxSafeInteger(), fc.double(), text, tie('list'), tie('object')),
      list: fc.array(tie('value'), { maxLength: 6 }),
      object: fc.dictionary(text, tie('value'), { maxKeys: 6 })
    })).object
    let n = 0
    await fc.assert(fc.asyncProperty(json, async data => {
      const id = `any-${n++}`
      const expected = JSON.parse(JSON.stringify(data))
      await sessions.save(id, data)
      expect(sorted(await sessions.get(id))).toBe(sorted(expected))
      const session = { ...data, cookie: { originalMaxAge: 60_000, httpOnly: true, path: '/' } }
      await store.set(id, session)
      const got = await store.get(id)
      delete got.cookie
      delete expected.cookie
      expect(sorted(got)).toBe(sorted(expected))
    }), { numRuns: 300 })
  })
})

describe('a session that no server can store', () => {
  const mebi = 1_024 ** 2
  test.each([
    ['as text', { big: 'x'.repeat(9 * mebi) }],
    ['as JSON that is too long to pass to the core', { big: 'x'.repeat(49 * mebi) }]
  ])('%s is TOO_BIG, and is not sent', async (_, data) => {
    const tap = await WireTap.start()
    for (const format of ['map', 'json']) {
      const sessions = new SessionStore({ hosts: tap.hosts, format })
      const store = new AerospikeStore({ client: sessions })
      await sessions.ready()
      const session = { cookie: { originalMaxAge: null }, small: 1 }
      await store.set('loaded', session)
      const asked = await tap.during(async () => {
        for (const write of [sessions.save('big', data), store.set('big', { ...session, ...data }), store.set('loaded', Object.assign(session, data))]) {
          expect(await caught(write)).toMatchObject({ code: 'TOO_BIG', retryable: false, inDoubt: false })
        }
      })
      expect(asked).not.toContain('write')
      expect(await store.get('loaded')).toMatchObject({ small: 1 })
      await sessions.close()
    }
    await tap.stop()
  })

  test('is distinguished from one that only this server rejects', async () => {
    const error = await caught(sessions.save('big', { big: 'x'.repeat(7 * mebi) }))
    expect(error).toMatchObject({ code: 'TOO_BIG', resultCode: 13 })
  })
})

/** Returns JSON with sorted keys, because a map has no order. */
function sorted (value) {
  return JSON.stringify(value, (_, inner) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))
  })
}
