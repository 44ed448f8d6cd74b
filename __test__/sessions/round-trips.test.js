'use strict'

// Stored data is returned as JSON converts it: properties, tested on random data with many difficult values.

const fc = require('fast-check')
const { cookie } = require('../support/cookie')
const { freshSet, openSessions, openStore } = require('../support/server')

const RUNS = 150

/** Generates characters of all planes, including lone surrogates. */
const unit = fc.oneof(
  fc.constantFrom('a', '"', '\\', '\0', '\u001f', '\u007f', 'é', '\u2028', '\ufeff', '\uffff', '\ue000', '\ud7ff'),
  fc.constantFrom('\ud800', '\udbff', '\udc00', '\udfff'),
  fc.integer({ min: 0x10000, max: 0x10ffff }).map(point => String.fromCodePoint(point)),
  fc.integer({ min: 0, max: 0xffff }).map(code => String.fromCharCode(code))
)
const anyText = fc.oneof(fc.string({ unit, maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 40 }))
const wellFormed = fc.string({ unit: 'binary', maxLength: 12 })

const AWKWARD = ['', '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'toJSON', 'length', '0', '1', '10', '-1', '01', '1e3',
  '4294967295', '9007199254740993', 'null', 'undefined', 'NaN', 'data', 'expires', 'created', 'user', 'prefix', 'session', 'id', '$', ' ', 'a.b', '\ufeffa']
const anyKey = texts => fc.oneof({ arbitrary: fc.constantFrom(...AWKWARD), weight: 2 }, { arbitrary: texts, weight: 1 })
const anyNumber = fc.oneof(
  fc.double(),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(Number),
  fc.constantFrom(0, -0, 1e308, -1e308, 5e-324, -5e-324, 2 ** 53, -(2 ** 53), 2 ** 53 + 2, 2 ** 63, -(2 ** 63), 2 ** 64, 1e21, 0.1, NaN, Infinity, -Infinity)
)

/** Generates any JSON, and values that JSON omits. Objects have own keys with any names. */
function anyData (texts) {
  return fc.letrec(tie => ({
    value: fc.oneof({ maxDepth: 4, depthSize: 'small' },
      fc.constantFrom(null, true, false, undefined), anyNumber, texts, fc.date({ noInvalidDate: true }), tie('list'), tie('object')),
    list: fc.array(tie('value'), { maxLength: 5 }),
    object: fc.uniqueArray(fc.tuple(anyKey(texts), tie('value')), { maxLength: 8, selector: ([key]) => key })
      .map(entries => Object.fromEntries(entries))
  })).object
}

const json = value => JSON.parse(JSON.stringify(value))

/** Compares two JSON values. Keys in maps have no order. */
function same (a, b) {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b)
  if (Array.isArray(a) !== Array.isArray(b) || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && same(a[key], b[key]))
}

function expectSame (got, expected) {
  if (!same(got, expected)) expect(got).toStrictEqual(expected)
  expect(same(got, expected)).toBe(true)
}

/** Applies the changes from `base` to `mine` to `theirs`, by top-level key. */
function merged (base, mine, theirs) {
  const result = new Map(Object.entries(theirs))
  for (const key of Object.keys(base)) if (!Object.hasOwn(mine, key)) result.delete(key)
  for (const [key, value] of Object.entries(mine)) {
    if (!Object.hasOwn(base, key) || !same(base[key], value)) result.set(key, value)
  }
  return Object.fromEntries(result)
}

/** Replaces the data of a loaded session. */
function become (session, data) {
  // One key at a time, because assigning `__proto__` would create no key.
  for (const key of Object.keys(session)) if (key !== 'cookie') delete session[key]
  for (const [key, value] of Object.entries(data)) {
    Object.defineProperty(session, key, { value, enumerable: true, configurable: true, writable: true })
  }
}

function dataOf ({ cookie: _, ...data }) {
  return data
}

let count = 0
const freshId = () => `p${count++}`

afterEach(() => {
  // No stored data has changed Object.prototype.
  expect(Object.keys(Object.prototype)).toEqual([])
  expect({}.toString).toBe(Object.prototype.toString)
})

describe.each(['map', 'json'])('format %s', format => {
  const set = freshSet()
  const sessions = openSessions({ set, format })
  const store = openStore({ set, format })
  const again = openStore({ set, format })

  test('data that the recipe saves is returned as JSON converts it', async () => {
    await fc.assert(fc.asyncProperty(anyData(anyText), async data => {
      const id = freshId()
      await sessions.save(id, data)
      expectSame(await sessions.get(id), json(data))
    }), { numRuns: RUNS })
  })

  test('data that AerospikeStore sets is returned as JSON converts it, to any store', async () => {
    await fc.assert(fc.asyncProperty(anyData(anyText), async data => {
      const sid = freshId()
      const session = { cookie: cookie(60_000) }
      become(session, data)
      await store.set(sid, session)
      expectSame(dataOf(await again.get(sid)), json(data))
    }), { numRuns: RUNS })
  })

  test.each([['well-formed text', wellFormed], ['any text', anyText]])('an update of a loaded session, with %s, is a merge by key', async (_, texts) => {
    const data = anyData(texts).map(json).map(dataOf)
    /** Often the previous value, so that something stays unchanged. */
    const change = fc.tuple(data, data, fc.infiniteStream(fc.boolean()))
    await fc.assert(fc.asyncProperty(data, change, change, async (base, ...changes) => {
      const sid = freshId()
      const [mine, theirs] = changes.map(([kept, fresh, coins]) => {
        const left = Object.entries(base).filter(() => coins.next().value)
        return Object.fromEntries([...left, ...Object.entries(fresh).filter(() => coins.next().value), ...Object.entries(kept).slice(0, 1)])
      })
      const session = { cookie: cookie(60_000) }
      become(session, base)
      await store.set(sid, session)
      const [one, two] = [await store.get(sid), await again.get(sid)]
      become(one, theirs)
      become(two, mine)
      await store.set(sid, one)
      expectSame(dataOf(await again.get(sid)), theirs)
      await again.set(sid, two)
      expectSame(dataOf(await store.get(sid)), merged(base, mine, theirs))
      // The writer's session may be set again. Its state is then the base of the next set.
      two.after = [mine]
      await again.set(sid, two)
      expectSame(dataOf(await store.get(sid)), { ...merged(base, mine, theirs), ...json({ after: [mine] }) })
    }), { numRuns: RUNS })
  })

  test('data is returned up to the nesting limit, and is BAD_DATA beyond', async () => {
    const opened = fc.array(fc.boolean(), { minLength: 90, maxLength: 110 })
    await fc.assert(fc.asyncProperty(opened, anyText, async (lists, key) => {
      const nested = lists.reduce((inner, isList) => isList ? [inner] : Object.fromEntries([[key, inner]]), 1)
      const data = { nested }
      const id = freshId()
      if (lists.length + 1 > 100) {
        await expect(sessions.save(id, data)).rejects.toMatchObject({ code: 'BAD_DATA' })
        await expect(store.set(id, { cookie: cookie(60_000), ...data })).rejects.toMatchObject({ code: 'BAD_DATA' })
        return
      }
      await sessions.save(id, data)
      expectSame(await sessions.get(id), data)
      const loaded = await store.get(id)
      loaded.more = { nested: loaded.nested }
      if (lists.length + 2 > 100) return expect(store.set(id, loaded)).rejects.toMatchObject({ code: 'BAD_DATA' })
      await store.set(id, loaded)
      expectSame(dataOf(await store.get(id)), { nested, more: { nested } })
    }), { numRuns: RUNS })
  })

  test('data with 100,000 keys is returned, and updated by key', async () => {
    const data = Object.fromEntries(Array.from({ length: 100_000 }, (_, n) => [n.toString(36), n % 2]))
    await store.set('many', { cookie: cookie(60_000), ...data })
    const loaded = await store.get('many')
    expectSame(dataOf(loaded), data)
    delete loaded['7s']
    loaded.zz = 'changed'
    await store.set('many', loaded)
    const { '7s': _, ...left } = data
    expectSame(dataOf(await again.get('many')), { ...left, zz: 'changed' })
  })
})

test('any well-formed string is a separate id', async () => {
  const set = freshSet()
  const sessions = openSessions({ set })
  const id = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }),
    fc.constantFrom(...AWKWARD.slice(1)),
    fc.tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 2 }), fc.integer({ min: 1, max: 32_768 }))
      .map(([text, times]) => text.repeat(times)).filter(text => Buffer.byteLength(text) <= 65_536)
  )
  await fc.assert(fc.asyncProperty(fc.uniqueArray(id, { minLength: 2, maxLength: 5 }), async ids => {
    await Promise.all(ids.map((id, n) => sessions.save(id, { n })))
    expect(await Promise.all(ids.map(id => sessions.get(id)))).toEqual(ids.map((_, n) => ({ n })))
    expect(await Promise.all(ids.map(id => sessions.delete(id)))).toEqual(ids.map(() => true))
    expect(await Promise.all(ids.map(id => sessions.get(id)))).toEqual(ids.map(() => null))
  }), { numRuns: RUNS })
})

test('ids are returned unchanged by a store that keeps them', async () => {
  const store = openStore({ storeIds: true, prefix: 'é:' })
  const ids = fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }), { numRuns: 200, seed: 7 })
  await Promise.all(ids.map(id => store.set(id, { cookie: cookie(60_000) })))
  expect((await store.ids()).sort()).toEqual([...new Set(ids)].sort())
  expect((await store.all()).map(({ id }) => id).sort()).toEqual([...new Set(ids)].sort())
})
