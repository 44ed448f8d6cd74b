'use strict'

// The sessions of one user, and the scans over all sessions.

const crypto = require('node:crypto')
const fc = require('fast-check')
const express = require('express')
const passport = require('passport')
const { once } = require('node:events')
const { Strategy } = require('passport-local')
const { cookie: lasting } = require('../support/cookie')
const { serve } = require('../support/http')
const { OfficialClient } = require('../support/official-client')
const collidingUsers = require('../support/colliding-users')
const { freshSet, hosts, openSessions, openStore } = require('../support/server')
const { ownerArgument, ownerOption } = require('../../lib/options/owner')

const cookie = () => lasting(60_000)

let official
beforeAll(async () => { official = await OfficialClient.connect(hosts()) })
afterAll(() => official.close())

async function removeIndexes (set) {
  for (const name of await official.indexesOf(set)) await official.removeIndex('test', name)
}

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

describe.each([
  ['with the index', true],
  ['without the index', false]
])('the sessions of a user, %s', (_, indexed) => {
  const set = freshSet()
  const store = openStore({ set, user: sess => sess.userId, storeIds: true })
  const warnings = []
  store.on('warning', warning => warnings.push(warning.code))

  beforeAll(async () => {
    for (const [id, userId] of [['a1', 'ada'], ['a2', 'ada'], ['a3', 'ada'], ['g1', 'grace'], ['none', undefined]]) {
      await store.set(id, { cookie: cookie(), userId })
    }
    if (indexed) await store.createUserIndex()
  })

  afterAll(async () => {
    if (!indexed) return
    // If it is requested twice, the index is created once.
    await store.createUserIndex()
    await official.removeIndex('test', `user-${set}`)
  })

  test('are found', async () => {
    const found = await store.sessionsOf('ada')
    expect(found.map(one => one.id).sort()).toStrictEqual(['a1', 'a2', 'a3'])
    expect(found[0]).toMatchObject({ userId: 'ada', cookie: { originalMaxAge: 60_000 } })
    expect(await store.countOf('ada')).toBe(3)
    expect(await store.countOf('grace')).toBe(1)
    expect(await store.countOf('nobody')).toBe(0)
    expect(warnings.includes('NO_USER_INDEX')).toBe(!indexed)
  })

  test('are found by the new owner when a session changes its owner', async () => {
    const moved = await store.get('g1')
    moved.userId = 'joan'
    await store.set('g1', moved)
    expect(await store.countOf('grace')).toBe(0)
    expect(await store.countOf('joan')).toBe(1)
    delete moved.userId
    await store.set('g1', moved)
    expect(await store.countOf('joan')).toBe(0)
  })

  test('are all logged out except one, and a slow request restores none', async () => {
    const slow = await store.get('a2')
    expect(await store.destroyOf('ada', { except: 'a1' })).toBe(2)
    slow.late = true
    const emitted = once(store, 'gone')
    await store.set('a2', slow)
    await emitted
    expect(await store.countOf('ada')).toBe(1)
    expect(await store.get('a1')).not.toBeNull()
    expect(await store.get('a2')).toBeNull()
    expect(await store.destroyOf('ada')).toBe(1)
    expect(await store.get('none')).not.toBeNull()
  })
})

describe.each([
  ['plain', 'with the index', {}, true],
  ['plain', 'without the index', {}, false],
  ['hashed', 'with the index', { hashIds: 'a secret of more than 16 bytes' }, true],
  ['hashed', 'without the index', { hashIds: 'a secret of more than 16 bytes' }, false]
])('users whose names collide in the index, %s and %s', (_, __, options, indexed) => {
  const set = freshSet()
  const store = openStore({ set, user: 'userId', ...options })
  store.on('warning', () => {})
  const save = (id, userId) => store.set(id, { cookie: cookie(), userId, name: id })

  beforeAll(() => indexed ? store.createUserIndex() : undefined)
  afterAll(() => indexed ? removeIndexes(set) : undefined)

  test.each(collidingUsers)('are two users: %s', async (victim, attacker) => {
    await save('v1', victim)
    await save('v2', victim)
    await save('a1', attacker)
    const namesOf = async user => (await store.sessionsOf(user)).map(({ name }) => name).sort()
    expect(await namesOf(victim)).toStrictEqual(['v1', 'v2'])
    expect(await namesOf(attacker)).toStrictEqual(['a1'])
    expect([await store.countOf(victim), await store.countOf(attacker)]).toStrictEqual([2, 1])
    expect(await store.destroyOf(attacker)).toBe(1)
    expect(await namesOf(victim)).toStrictEqual(['v1', 'v2'])
    expect(await store.destroyOf(attacker)).toBe(0)
    expect(await store.destroyOf(victim, { except: 'v1' })).toBe(1)
    expect(await store.destroyOf(victim)).toBe(1)
  })
})

describe('sessionsOf', () => {
  test('returns at most `limit` sessions, by default 1,000', async () => {
    const store = openStore({ user: 'userId' })
    store.on('warning', () => {})
    await Promise.all(Array.from({ length: 1_100 }, (_, n) => store.set(`s${n}`, { cookie: cookie(), userId: 'ada' })))
    expect(await store.sessionsOf('ada')).toHaveLength(1_000)
    expect(await store.sessionsOf('ada', { limit: 7 })).toHaveLength(7)
    expect(await store.sessionsOf('ada', { limit: 10_000 })).toHaveLength(1_100)
    expect(await new Promise(resolve => store.sessionsOf('ada', { limit: 1 }, (error, found) => resolve(error ?? found.length)))).toBe(1)
    expect(await store.countOf('ada')).toBe(1_100)
    expect(await store.destroyOf('ada')).toBe(1_100)
  })

  test('returns no more sessions when those it has reach 4 MiB', async () => {
    const store = openStore({ user: 'userId' })
    store.on('warning', () => {})
    const large = 'x'.repeat(600_000)
    for (let n = 0; n < 40; n++) await store.set(`s${n}`, { cookie: cookie(), userId: 'ada', large })
    const found = await store.sessionsOf('ada')
    expect(found.length).toBeGreaterThanOrEqual(7)
    expect(found.length).toBeLessThan(40)
    expect(await store.destroyOf('ada')).toBe(40)
  })

  test.each([{ limit: 0 }, { limit: 10_001 }, { limit: 1.5 }, { limit: '5' }, { limit: NaN }, { limt: 1 }])('rejects %p', async options => {
    const refused = { code: 'BAD_OPTION', message: expect.stringContaining("'limit'") }
    await expect(openStore({ user: 'userId' }).sessionsOf('ada', options)).rejects.toMatchObject(refused)
  })
})

describe('the sessions of sessionsOf', () => {
  test.each([
    ['native maps', {}],
    ['JSON', { format: 'json' }],
    ['encrypted', { encryptionKeys: [crypto.randomBytes(32)] }],
    ['hashed ids', { hashIds: 'a secret of at least 16 bytes' }],
    ['a prefix', { prefix: 'shop:' }],
    ['ids that are stored', { storeIds: true }],
    ['a bin of another name', { bin: 'updated' }]
  ])('have their digest, and the times of their creation and last write: %s', async (_, options) => {
    const store = openStore({ user: 'userId', ...options })
    store.on('warning', () => {})
    const before = Date.now()
    await store.set('a', { cookie: cookie(), userId: 'ada' })
    const [created] = await store.sessionsOf('ada')
    expect(created.digest).toBe(store.digestOf('a'))
    expect(created.digest).toMatch(/^[0-9a-f]{40}$/)
    expect(created.created).toBeGreaterThanOrEqual(before)
    expect(created.created).toBeLessThanOrEqual(Date.now())
    // The clocks of the store and of the server are those of the same machine.
    expect(Math.abs(created.updated - created.created)).toBeLessThan(1_000)
    await new Promise(resolve => setTimeout(resolve, 5))
    await store.set('a', Object.assign(await store.get('a'), { n: 1 }))
    const [changed] = await store.sessionsOf('ada')
    expect([changed.digest, changed.created]).toStrictEqual([created.digest, created.created])
    expect(changed.updated).toBeGreaterThan(created.updated)
    await new Promise(resolve => setTimeout(resolve, 5))
    await store.touch('a', Object.assign(await store.get('a'), { cookie: lasting(90_000) }))
    expect((await store.sessionsOf('ada'))[0].updated).toBeGreaterThan(changed.updated)
  })

  test('show these only if they are asked for', async () => {
    const store = openStore({ user: 'userId' })
    store.on('warning', () => {})
    const data = { cookie: cookie(), userId: 'ada', n: 1 }
    await store.set('a', data)
    const [found] = await store.sessionsOf('ada')
    const plain = JSON.parse(JSON.stringify({ ...data, cookie: (await store.get('a')).cookie }))
    expect(JSON.parse(JSON.stringify(found))).toStrictEqual(plain)
    expect({ ...found }).toStrictEqual(plain)
    expect(Object.keys(found).sort()).toStrictEqual(['cookie', 'n', 'userId'])
    for (const other of [await store.all(), [await store.get('a')]].flat()) {
      expect([other.digest, other.created, other.updated]).toStrictEqual([undefined, undefined, undefined])
    }
    // The next set stores the data alone.
    await store.set('a', Object.assign(found, { n: 2 }))
    expect(JSON.parse(JSON.stringify(await store.get('a')))).toStrictEqual({ ...plain, n: 2 })
  })

  test('keep data under the same names', async () => {
    const store = openStore({ user: 'userId' })
    store.on('warning', () => {})
    const own = { digest: 'mine', created: 'once', updated: ['twice'] }
    await store.set('a', { cookie: cookie(), userId: 'ada', ...own })
    const [found] = await store.sessionsOf('ada')
    expect(found.digest).toBe(store.digestOf('a'))
    expect(found.updated).toBeGreaterThan(0)
    await store.set('a', Object.assign(found, { n: 1 }))
    expect(await store.get('a')).toMatchObject({ ...own, n: 1 })
    // What the application assigns becomes data.
    found.created = 'again'
    expect(found.created).toBe('again')
    await store.set('a', found)
    expect(await store.get('a')).toMatchObject({ ...own, created: 'again' })
  })

  test('have no time of creation if another program wrote them', async () => {
    const set = freshSet()
    const store = openStore({ set, user: 'userId' })
    store.on('warning', () => {})
    await official.put(['test', set, 'foreign'], { data: { userId: 'ada' }, user: 'ada' }, 60)
    expect(await store.sessionsOf('ada')).toMatchObject([{ created: undefined, updated: expect.any(Number), digest: store.digestOf('foreign') }])
  })

  test('are read from the records of aerospike-session-store 0.4, too', async () => {
    const set = freshSet()
    const store = openStore({ set, user: 'userId' })
    store.on('warning', () => {})
    await official.put(['test', set, 'old'], { session: JSON.stringify({ cookie: { originalMaxAge: null }, userId: 'ada' }), user: 'ada' }, 60)
    expect(await store.sessionsOf('ada')).toMatchObject([{ userId: 'ada', digest: store.digestOf('old') }])
  })
})

describe.each([
  ['native maps', {}],
  ['hashed ids', { hashIds: 'a secret of at least 16 bytes' }],
  ['a prefix', { prefix: 'shop:' }],
  ['tombstones', { tombstones: true }]
])('destroyByDigest, %s', (_, options) => {
  const set = freshSet()
  const store = openStore({ set, user: 'userId', ...options })
  const outside = openStore({ set, user: 'userId', prefix: 'other:' })
  const save = (id, userId, life = 60_000) => store.set(id, { cookie: lasting(life), userId })

  test('removes the session of this user, once', async () => {
    await save('a', 'ada')
    const digest = store.digestOf('a')
    expect(await store.destroyByDigest(digest, { of: 'grace' })).toBe(false)
    expect(await outside.destroyByDigest(digest, { of: 'ada' })).toBe(false)
    expect(await outside.destroyByDigest(digest)).toBe(false)
    expect(await store.get('a')).not.toBeNull()
    expect(await store.destroyByDigest(digest.toUpperCase(), { of: 'ada' })).toBe(true)
    expect(await store.get('a')).toBeNull()
    expect(await store.destroyByDigest(digest, { of: 'ada' })).toBe(false)
    expect(await store.destroyByDigest(digest)).toBe(false)
  })

  test('without a user removes the session of anyone', async () => {
    await save('b', 'ada')
    await save('c', undefined)
    for (const id of ['b', 'c']) {
      expect(await store.destroyByDigest(store.digestOf(id))).toBe(true)
      expect(await store.get(id)).toBeNull()
    }
  })

  test('finds no session that has ended', async () => {
    await save('d', 'ada', 40)
    await new Promise(resolve => setTimeout(resolve, 60))
    expect(await store.destroyByDigest(store.digestOf('d'), { of: 'ada' })).toBe(false)
  })

  test('ends a request that is under way with the session', async () => {
    await save('e', 'ada')
    const slow = await store.get('e')
    await store.destroyByDigest(store.digestOf('e'), { of: 'ada' })
    const emitted = once(store, 'gone')
    await store.set('e', Object.assign(slow, { n: 1 }))
    expect(await emitted).toStrictEqual([{ digest: store.digestOf('e') }])
    expect(await store.get('e')).toBeNull()
  })

  test('runs in the order of the calls', async () => {
    const created = save('f', 'ada')
    const removed = store.destroyByDigest(store.digestOf('f'), { of: 'ada' })
    const found = store.get('f')
    expect(await Promise.all([created, removed, found])).toStrictEqual([undefined, true, null])
  })

  test('takes a callback', async () => {
    await save('g', 'ada')
    const ask = (...args) => new Promise(resolve => store.destroyByDigest(store.digestOf('g'), ...args, (error, removed) => resolve(error ?? removed)))
    expect(await ask({ of: 'eve' })).toBe(false)
    expect(await ask()).toBe(true)
  })
})

describe('destroyByDigest refuses', () => {
  const store = openStore({ user: 'userId' })
  const digest = '0'.repeat(40)

  test.each([
    [''], ['0'.repeat(39)], ['0'.repeat(41)], ['g'.repeat(40)], [`${digest}\n`], [undefined], [null], [7], [{}], [[digest]]
  ])('the digest %p', async wrong => {
    await expect(store.destroyByDigest(wrong, { of: 'ada' })).rejects.toMatchObject({ code: 'BAD_KEY' })
    await expect(store.destroyByDigest(wrong)).rejects.toMatchObject({ code: 'BAD_KEY' })
  })

  test.each([
    ['no user', {}, 'BAD_OPTION'], ['another name', { off: 'ada' }, 'BAD_OPTION'], ['null', null, 'BAD_OPTION'], ['a user in place of options', 'ada', 'BAD_OPTION'],
    ['undefined as the user', { of: undefined }, 'BAD_KEY'], ['an empty user', { of: '' }, 'BAD_KEY'], ['null as the user', { of: null }, 'BAD_KEY'],
    ['an object as the user', { of: {} }, 'BAD_KEY']
  ])('options with %s', async (_, options, code) => {
    await expect(store.destroyByDigest(digest, options)).rejects.toMatchObject({ code })
  })
})

test('digestOf throws for a session id that cannot be one', () => {
  const store = openStore()
  for (const sid of ['', undefined, 7, '\ud800']) expect(() => store.digestOf(sid)).toThrow(expect.objectContaining({ code: 'BAD_KEY' }))
})

describe('createUserIndex', () => {
  test('creates a separate index for each set, even with the longest names', async () => {
    const start = freshSet().padEnd(61, 'x')
    for (const set of [`${start}-1`, `${start}-2`]) {
      const store = openStore({ set, user: 'owner' })
      await store.set('a', { cookie: cookie(), owner: 'ada' })
      await store.createUserIndex()
      const warnings = []
      store.on('warning', warning => warnings.push(warning.code))
      expect(await store.countOf('ada')).toBe(1)
      expect(warnings).toStrictEqual([])
      expect(await official.indexesOf(set)).toHaveLength(1)
    }
    for (const set of [`${start}-1`, `${start}-2`]) await removeIndexes(set)
  })

  test('rejects if another index has its name', async () => {
    const [set, other] = [freshSet(), freshSet()]
    await openSessions({ set: other }).save('a', {})
    await official.createIndex('test', other, 'somebin', `user-${set}`)
    const store = openStore({ set, user: 'owner' })
    await expect(store.createUserIndex()).rejects.toMatchObject({ code: 'SERVER', resultCode: 200 })
    await official.removeIndex('test', `user-${set}`)
    await store.createUserIndex()
    await store.createUserIndex()
    await removeIndexes(set)
  })
})

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

describe('ids', () => {
  test('are returned by all() and sessions() if they are stored', async () => {
    const store = openStore({ storeIds: true, prefix: 'app:' })
    for (const id of ['x', 'y']) await store.set(id, { cookie: cookie(), id: 'the app\'s own', n: 1 })
    expect((await store.ids()).sort()).toStrictEqual(['x', 'y'])
    expect((await store.all()).map(one => one.id).sort()).toStrictEqual(['x', 'y'])
    expect((await store.get('x')).id).toBe('the app\'s own')
  })

  test('are rejected if they are not stored', async () => {
    const store = openStore()
    await expect(store.ids()).rejects.toMatchObject({ code: 'BAD_OPTION', message: expect.stringMatching(/storeIds/) })
    await store.set('x', { cookie: cookie(), id: 'own' })
    expect(await store.all()).toMatchObject([{ id: 'own' }])
  })
})

describe('sessions()', () => {
  test('yields every session once, in batches of any size', async () => {
    const store = openStore({ storeIds: true })
    const ids = Array.from({ length: 300 }, (_, n) => `s${n}`)
    await Promise.all(ids.map(id => store.set(id, { cookie: cookie() })))
    for (const batch of [1, 50, 100_000]) {
      const seen = []
      for await (const one of store.sessions({ batch })) seen.push(one.id)
      expect(seen.sort()).toStrictEqual([...ids].sort())
    }
  })

  test('may be stopped half-way', async () => {
    const store = openStore()
    await store.set('a', { cookie: cookie() })
    const walk = store.sessions()
    expect((await walk.next()).value.cookie.originalMaxAge).toBe(60_000)
    expect(await walk.return()).toStrictEqual({ done: true, value: undefined })
    await expect(store.sessions({ bach: 1 }).next()).rejects.toMatchObject({ code: 'BAD_OPTION' })
  })
})
