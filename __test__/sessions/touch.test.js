'use strict'

// The cost of a touch and its result, whatever sets and touches of the same session object are in flight.

const crypto = require('node:crypto')
const { setImmediate: turn } = require('node:timers/promises')
const fc = require('fast-check')
const operations = require('../../lib/operations')
const { cookie: lasting } = require('../support/cookie')
const { freshSet, openStore } = require('../support/server')

const RUNS = Number(process.env.TOUCH_RUNS ?? 150)
const HOUR = 3_600_000
const key = () => crypto.randomBytes(32)
const FORMATS = [['map', {}], ['json', { format: 'json' }], ['encrypted', { encryptionKeys: [key()] }]]

afterEach(() => jest.restoreAllMocks())

describe.each(FORMATS)('the data that a touch passes to the core, %s', (_, options) => {
  const SIZE = 32_000
  const large = () => Object.fromEntries(Array.from({ length: SIZE / 100 }, (_, n) => [`key${n}`, 'x'.repeat(90)]))
  let store
  beforeAll(() => { store = openStore(options) })

  /** Counts the characters that the touches of a test pass to the core. */
  function counting () {
    const entry = jest.spyOn(operations.refresh, 'entry')
    return () => entry.mock.calls.map(args => args.filter(arg => typeof arg === 'string').join('').length)
  }

  const extend = (session, n) => { session.cookie.expires = new Date(Date.now() + HOUR + n * 60_000) }
  const expectFew = crossed => {
    for (const characters of crossed) expect(characters).toBeLessThan(1_000)
    return crossed.length
  }

  test('is the same for small and large loaded sessions', async () => {
    const crossed = counting()
    for (const data of [{ n: 1 }, large()]) {
      await store.set('a', { cookie: lasting(HOUR), ...data })
      const session = store.createSession({}, await store.get('a'))
      for (let n = 1; n < 4; n++) {
        extend(session, n)
        await store.touch('a', session)
      }
    }
    expect(expectFew(crossed())).toBe(6)
  })

  test("stays small after sets, without awaiting, and if the cookie is not the session's first key", async () => {
    const crossed = counting()
    const session = { ...large(), cookie: { ...lasting(HOUR).toJSON(), more: { of: [{ it: '"}' }] } } }
    await store.set('b', session)
    extend(session, 1)
    await Promise.all([store.touch('b', session), store.set('b', session), store.touch('b', session)])
    extend(session, 2)
    await store.touch('b', session)
    expect(expectFew(crossed())).toBe(3)
    expect((await store.get('b')).cookie).toMatchObject({ more: session.cookie.more, expires: session.cookie.expires.toJSON() })
  })
})

const value = fc.oneof(fc.nat({ max: 3 }), fc.constantFrom('}', '"cookie":{}', null, [{}], { cookie: { path: '/' } }))
const step = fc.record({
  what: fc.oneof({ arbitrary: fc.constantFrom('set', 'touch'), weight: 8 }, { arbitrary: fc.constantFrom('load', 'rotate', 'other'), weight: 2 }),
  waits: fc.boolean(),
  turns: fc.nat({ max: 2 }),
  key: fc.constantFrom('a', 'b', 'id'),
  value: fc.option(value, { nil: undefined }),
  cookie: fc.option(fc.constantFrom('/', '/a', { nested: { '}': 1 } }), { nil: undefined }),
  last: fc.boolean()
})

describe.each(FORMATS)('sets and touches of one session object, %s', (_, options) => {
  const stores = []
  beforeAll(() => {
    const set = freshSet()
    let keys = options.encryptionKeys
    for (let n = 0; n < 4; n++) {
      stores.push(openStore({ set, ...options, ...(keys && { encryptionKeys: keys }) }))
      keys &&= [key(), ...keys]
    }
  })
  let ids = 0

  test('leave data, cookie and end as they are called, waited for or not', () => fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async steps => {
    const id = `s${++ids}`
    let store = stores[0]
    /** Returns the stored session after all calls are finished. */
    const model = { data: {}, cookie: { originalMaxAge: HOUR, path: '/' }, end: Date.now() + HOUR }
    const cookieOf = end => ({ ...structuredClone(model.cookie), expires: new Date(end).toISOString() })
    await store.set(id, { cookie: cookieOf(model.end) })
    let session = await store.get(id)
    let other = await store.get(id)
    const pending = []
    const settled = () => Promise.all(pending.splice(0))
    const load = async () => {
      await settled()
      session = await store.get(id)
      other = await store.get(id)
    }
    for (const { what, waits, turns, key, value, cookie, last } of steps) {
      if (what === 'rotate') {
        store = stores[stores.indexOf(store) + 1] ?? store
        await load()
      } else if (what === 'load') {
        await load()
      } else if (what === 'other') {
        // Another request, which has changed its own key.
        other.theirs = model.data.theirs = (other.theirs ?? 0) + 1
        model.end += 5_000
        other.cookie.expires = new Date(model.end).toISOString()
        pending.push(store.set(id, other))
      } else {
        if (value === undefined) delete session[key]
        else session[key] = value
        if (last) {
          const { cookie, ...data } = session
          for (const name of Object.keys(session)) delete session[name]
          Object.assign(session, data, { cookie })
        }
        if (cookie !== undefined) session.cookie.path = cookie
        model.end += 5_000
        session.cookie.expires = new Date(model.end).toISOString()
        if (what === 'set') {
          const { cookie, theirs, ...data } = structuredClone(session)
          model.data = { ...data, ...(model.data.theirs && { theirs: model.data.theirs }) }
        }
        model.cookie = { originalMaxAge: HOUR, path: structuredClone(session.cookie.path) }
        pending.push(store[what](id, session))
      }
      if (waits) await settled()
      else for (let n = 0; n < turns; n++) await turn()
    }
    await settled()
    const { cookie, ...data } = await store.get(id)
    expect(data).toStrictEqual(model.data)
    expect(cookie).toStrictEqual(cookieOf(model.end))
  }), { numRuns: RUNS }), 120_000)
})

test("a touch after a new encryption key encrypts the record's data, not the object's", async () => {
  const set = freshSet()
  const [old, young] = [key(), key()]
  const before = openStore({ set, encryptionKeys: [old] })
  const during = openStore({ set, encryptionKeys: [young, old] })
  const after = openStore({ set, encryptionKeys: [young] })
  await before.set('a', { cookie: lasting(HOUR), n: 1, mine: 'old' })
  const touching = await during.get('a')
  const writing = await before.get('a')
  writing.n = 2
  await before.set('a', writing)
  touching.mine = 'never set'
  touching.cookie.expires = new Date(Date.now() + 2 * HOUR)
  await during.touch('a', touching)
  expect(await after.get('a')).toMatchObject({ n: 2, mine: 'old', cookie: { expires: touching.cookie.expires.toJSON() } })
  touching.mine = 'set'
  await during.set('a', touching)
  expect(await after.get('a')).toMatchObject({ n: 2, mine: 'set' })
})
