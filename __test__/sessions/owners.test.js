'use strict'

// Option `user`: the owner of a session.

const fc = require('fast-check')
const express = require('express')
const passport = require('passport')
const { Strategy } = require('passport-local')
const { cookie: lasting } = require('../support/cookie')
const { serve } = require('../support/http')
const { OfficialClient } = require('../support/official-client')
const { freshSet, hosts, openStore } = require('../support/server')
const { ownerArgument, ownerOption } = require('../../lib/options/owner')

const cookie = () => lasting(60_000)

let official
beforeAll(async () => { official = await OfficialClient.connect(hosts()) })
afterAll(() => official.close())

/** Like the ObjectId of MongoDB's driver, which JSON converts to its 24 hexadecimal digits. */
class ObjectId {
  #hex

  constructor (hex = '507f1f77bcf86cd799439011') {
    this.#hex = hex
  }

  toJSON () {
    return this.#hex
  }
}
const HEX = new ObjectId().toJSON()

describe('an owner', () => {
  test('may be a path into the session, and a number', async () => {
    const store = openStore({ user: 'passport.user' })
    store.on('warning', () => {})
    await store.set('deep', { cookie: cookie(), passport: { user: 42 } })
    await store.set('nobody', { cookie: cookie(), passport: null })
    expect(await store.countOf(42)).toBe(1)
    expect(await store.countOf('42')).toBe(1)
  })

  test.each([
    ['an object', {}], ['an array', ['ada']], ['a boolean', true], ['a Buffer', Buffer.from('ada')], ['a function', () => 'ada'], ['a symbol', Symbol('ada')],
    ['an object that JSON makes of another', { toJSON: () => ({ id: 'ada' }) }],
    ['too long', 'x'.repeat(2_049)], ['a lone surrogate', '\ud800']
  ])('that is %s fails the set with BAD_DATA', async (_, owner) => {
    const store = openStore({ user: () => owner })
    await expect(store.set('bad', { cookie: cookie() })).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringMatching(/^a user must be /) })
  })

  test('that cannot be turned into JSON fails the set with BAD_DATA and the cause', async () => {
    const cause = new Error('theirs')
    const owner = { toJSON () { throw cause } }
    await expect(openStore({ user: () => owner }).set('bad', { cookie: cookie() })).rejects.toMatchObject({ code: 'BAD_DATA', cause })
    const cycle = {}
    cycle.secret = cycle
    const error = await openStore({ user: () => cycle }).set('bad', { cookie: cookie() }).catch(error => error)
    expect(error).toMatchObject({ code: 'BAD_DATA', cause: expect.any(TypeError) })
    expect(error.cause.message).not.toContain('secret')
  })

  test.each([
    ['undefined', undefined], ['null', null], ["''", ''], ['NaN', NaN], ['Infinity', Infinity], ['-Infinity', -Infinity],
    ['an invalid Date', new Date(NaN)], ['null in JSON', { toJSON: () => null }], ['omitted by JSON', { toJSON: () => {} }]
  ])('is missing if it is %s', async (_, owner) => {
    const set = freshSet()
    const store = openStore({ set, user: () => owner })
    await store.set('none', { cookie: cookie() })
    const official = await OfficialClient.connect(hosts())
    const { bins } = await official.get('test', set, 'none')
    await official.close()
    expect(bins).not.toHaveProperty('user')
    for (const ask of [() => store.sessionsOf(owner), () => store.countOf(owner), () => store.destroyOf(owner)]) {
      await expect(ask()).rejects.toMatchObject({ code: 'BAD_KEY', message: expect.stringContaining('a user must be given') })
    }
  })

  describe.each([
    ['a path', {}, 'account._id'],
    ['a function', {}, session => session.account._id],
    ['a path, hashed', { hashIds: 'a secret of at least 16 bytes' }, 'account._id'],
    ['a path, in JSON', { format: 'json' }, 'account._id']
  ])('by %s', (_, options, user) => {
    test('is the JSON of an ObjectId, before and after a reload', async () => {
      const store = openStore({ ...options, user })
      store.on('warning', () => {})
      await store.set('a', { cookie: cookie(), account: { _id: new ObjectId() } })
      await store.set('other', { cookie: cookie(), account: { _id: new ObjectId('507f1f77bcf86cd799439012') } })
      for (const owner of [new ObjectId(), HEX]) {
        expect(await store.countOf(owner)).toBe(1)
        expect(await store.sessionsOf(owner)).toMatchObject([{ account: { _id: HEX } }])
      }
      const loaded = await store.get('a')
      loaded.visits = 1
      await store.set('a', loaded)
      expect(await store.countOf(new ObjectId())).toBe(1)
      expect(await store.destroyOf(new ObjectId())).toBe(1)
      expect(await store.get('a')).toBeNull()
      expect(await store.get('other')).not.toBeNull()
    })

    test.each([
      ['a Date', new Date(0), '1970-01-01T00:00:00.000Z'], ['-0', -0, '0'], ['a large number', 1e21, '1e+21'], ['a fraction', 0.1, '0.1'],
      ['a number', 42, '42'], ['a String object', new String('ada'), 'ada'] // eslint-disable-line no-new-wrappers
    ])('is the JSON text of %s', async (_, owner, text) => {
      const store = openStore({ ...options, user })
      store.on('warning', () => {})
      await store.set('a', { cookie: cookie(), account: { _id: owner } })
      for (const asked of [owner, text]) expect(await store.countOf(asked)).toBe(1)
      const loaded = await store.get('a')
      loaded.visits = 1
      await store.set('a', loaded)
      for (const asked of [owner, text, loaded.account._id]) expect(await store.countOf(asked)).toBe(1)
    })
  })

  test('may be a bigint, by its decimal text', async () => {
    const store = openStore({ user: () => 9007199254740993n })
    store.on('warning', () => {})
    await store.set('a', { cookie: cookie() })
    expect(await store.countOf(9007199254740993n)).toBe(1)
    expect(await store.countOf('9007199254740993')).toBe(1)
  })

  test('at a path is found in the JSON of the objects on the path', async () => {
    const store = openStore({ user: 'account.id' })
    store.on('warning', () => {})
    class Account {
      get id () { return 'not in JSON' }
      toJSON () { return { id: 'ada' } }
    }
    await store.set('a', { cookie: cookie(), account: new Account() })
    expect(await store.countOf('ada')).toBe(1)
    expect(await store.countOf('not in JSON')).toBe(0)
  })

  test('at a path is missing if JSON omits the property', () => {
    const owner = ownerOption({ user: 'id' })
    expect(owner(Object.defineProperty({}, 'id', { value: 'hidden' }))).toBe('')
    expect(owner(Object.create({ id: 'inherited' }))).toBe('')
    expect(ownerOption({ user: 'account.toString' })({ account: { toString: { toJSON: () => {} } } })).toBe('')
  })

  test('is the same before a session is stored and after, whatever its data', () => {
    const outcome = (read, session) => {
      try {
        return read(session)
      } catch ({ code, message }) {
        return `${code}: ${message}`
      }
    }
    const plain = fc.anything({ withDate: true, withBoxedValues: true, withNullPrototype: true, withTypedArray: true, withMap: true, withSet: true })
    const value = fc.oneof(fc.oneof(fc.string(), fc.double(), plain), fc.oneof(fc.string(), fc.double(), plain).map(made => ({ toJSON: () => made })))
    fc.assert(fc.property(value, fc.constantFrom('user', 'passport.user', '__proto__', 'a.__proto__', 'toString'), (value, path) => {
      const session = {}
      let inner = session
      const keys = path.split('.')
      for (const [n, key] of keys.entries()) {
        Object.defineProperty(inner, key, { value: n === keys.length - 1 ? value : {}, enumerable: true, configurable: true })
        inner = inner[key]
      }
      const stored = JSON.parse(JSON.stringify(session))
      const read = ownerOption({ user: path })
      const before = outcome(read, session)
      expect(outcome(read, stored)).toBe(before)
      // The value itself finds this owner, too.
      const asked = outcome(ownerArgument, value)
      if (before === '') expect(asked).toMatch(/^BAD_KEY: a user must be given/)
      else expect(asked).toBe(before.replace(/^BAD_DATA: /, 'BAD_KEY: '))
    }), { numRuns: 2_000 })
  })

  test('whose function throws fails the set with the cause', async () => {
    const cause = new Error('theirs')
    const store = openStore({ user: () => { throw cause } })
    await expect(store.set('bad', { cookie: cookie() })).rejects.toMatchObject({ code: 'BAD_OPTION', cause })
  })

  test('that is missing cannot be searched for', async () => {
    const store = openStore({ user: 'id' })
    const cause = new Error('theirs')
    for (const user of ['', undefined, {}, [], true, '\ud800', { toJSON () { throw cause } }]) {
      await expect(store.sessionsOf(user)).rejects.toMatchObject({ code: 'BAD_KEY' })
    }
    await expect(store.countOf({ toJSON () { throw cause } })).rejects.toMatchObject({ code: 'BAD_KEY', cause })
    expect(await new Promise(resolve => store.destroyOf(NaN, resolve))).toMatchObject({ code: 'BAD_KEY' })
    await expect(store.destroyOf('ada', { exept: 'a' })).rejects.toMatchObject({ code: 'BAD_OPTION' })
    await expect(store.destroyOf('ada', { except: '' })).rejects.toMatchObject({ code: 'BAD_KEY' })
  })
})

describe('with passport', () => {
  const store = openStore({ user: 'passport.user' })
  store.on('warning', () => {})
  const ada = { _id: new ObjectId() }
  let site
  beforeAll(async () => {
    const users = new passport.Passport()
    users.use(new Strategy((name, password, done) => done(null, ada)))
    users.serializeUser((user, done) => done(null, user._id))
    users.deserializeUser((id, done) => done(null, id === HEX ? ada : false))
    site = await serve(store, app => {
      app.use(users.session())
      app.post('/login', express.json(), users.authenticate('local'), (req, res) => res.json('welcome'))
    })
  })
  afterAll(() => site.stop())

  test('a login with an ObjectId succeeds, and is found by it', async () => {
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"username":"ada","password":"b"}' }
    for (let n = 0; n < 2; n++) expect((await fetch(`${site.url}/login`, request)).status).toBe(200)
    expect(await store.countOf(ada._id)).toBe(2)
    expect(await store.destroyOf(ada._id)).toBe(2)
  })
})
