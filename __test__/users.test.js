'use strict'

// The sessions of one user, and the walks over all of them.

const { once } = require('node:events')
const { cookie: lasting } = require('./support/cookie')
const { OfficialClient } = require('./support/official-client')
const alike = require('./support/alike')
const { freshSet, hosts, openSessions, openStore } = require('./support/server')

const cookie = () => lasting(60_000)

let official
beforeAll(async () => { official = await OfficialClient.connect(hosts()) })
afterAll(() => official.close())

async function removeIndexes (set) {
  for (const name of await official.indexesOf(set)) await official.removeIndex('test', name)
}

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
    // Asked for twice, an index is made once.
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

  test('follow a session that changes its owner', async () => {
    const moved = await store.get('g1')
    moved.userId = 'joan'
    await store.set('g1', moved)
    expect(await store.countOf('grace')).toBe(0)
    expect(await store.countOf('joan')).toBe(1)
    delete moved.userId
    await store.set('g1', moved)
    expect(await store.countOf('joan')).toBe(0)
  })

  test('are all logged out but one, and a slow request revives none', async () => {
    const slow = await store.get('a2')
    expect(await store.destroyOf('ada', { except: 'a1' })).toBe(2)
    slow.late = true
    const told = once(store, 'gone')
    await store.set('a2', slow)
    await told
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
])('users whose names the index takes for one, %s and %s', (_, __, options, indexed) => {
  const set = freshSet()
  const store = openStore({ set, user: 'userId', ...options })
  store.on('warning', () => {})
  const save = (id, userId) => store.set(id, { cookie: cookie(), userId, name: id })

  beforeAll(() => indexed ? store.createUserIndex() : undefined)
  afterAll(() => indexed ? removeIndexes(set) : undefined)

  test.each(alike)('are two users: %s', async (victim, attacker) => {
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
  test('returns at most `limit` sessions, which is 1,000 where it is left out', async () => {
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

  test('returns no further session once those it has hold 4 MiB', async () => {
    const store = openStore({ user: 'userId' })
    store.on('warning', () => {})
    const large = 'x'.repeat(600_000)
    for (let n = 0; n < 40; n++) await store.set(`s${n}`, { cookie: cookie(), userId: 'ada', large })
    const found = await store.sessionsOf('ada')
    expect(found.length).toBeGreaterThanOrEqual(7)
    expect(found.length).toBeLessThan(40)
    expect(await store.destroyOf('ada')).toBe(40)
  })

  test.each([{ limit: 0 }, { limit: 10_001 }, { limit: 1.5 }, { limit: '5' }, { limit: NaN }, { limt: 1 }])('refuses %p', async options => {
    const refused = { code: 'BAD_OPTION', message: expect.stringContaining("'limit'") }
    await expect(openStore({ user: 'userId' }).sessionsOf('ada', options)).rejects.toMatchObject(refused)
  })
})

describe('createUserIndex', () => {
  test('makes an index of its own for each set with one of the longest names', async () => {
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

  test('rejects where another index has its name', async () => {
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

  test.each([['an object', {}], ['too long', 'x'.repeat(2_049)], ['a lone surrogate', '\ud800']])('that is %s fails the set with BAD_DATA', async (_, owner) => {
    const store = openStore({ user: () => owner })
    await expect(store.set('bad', { cookie: cookie() })).rejects.toMatchObject({ code: 'BAD_DATA' })
  })

  test('whose function throws fails the set with the cause', async () => {
    const cause = new Error('theirs')
    const store = openStore({ user: () => { throw cause } })
    await expect(store.set('bad', { cookie: cookie() })).rejects.toMatchObject({ code: 'BAD_OPTION', cause })
  })

  test('that is none cannot be asked for', async () => {
    const store = openStore({ user: 'id' })
    for (const user of ['', undefined, {}, '\ud800']) {
      await expect(store.sessionsOf(user)).rejects.toMatchObject({ code: 'BAD_KEY' })
    }
    await expect(store.destroyOf('ada', { exept: 'a' })).rejects.toMatchObject({ code: 'BAD_OPTION' })
    await expect(store.destroyOf('ada', { except: '' })).rejects.toMatchObject({ code: 'BAD_KEY' })
  })
})

describe('ids', () => {
  test('are given, with all() and sessions(), where they are stored', async () => {
    const store = openStore({ storeIds: true, prefix: 'app:' })
    for (const id of ['x', 'y']) await store.set(id, { cookie: cookie(), id: 'the app\'s own', n: 1 })
    expect((await store.ids()).sort()).toStrictEqual(['x', 'y'])
    expect((await store.all()).map(one => one.id).sort()).toStrictEqual(['x', 'y'])
    expect((await store.get('x')).id).toBe('the app\'s own')
  })

  test('are refused where they are not', async () => {
    const store = openStore()
    await expect(store.ids()).rejects.toMatchObject({ code: 'BAD_OPTION', message: expect.stringMatching(/storeIds/) })
    await store.set('x', { cookie: cookie(), id: 'own' })
    expect(await store.all()).toMatchObject([{ id: 'own' }])
  })
})

describe('sessions()', () => {
  test('walks over every session once, in batches of any size', async () => {
    const store = openStore({ storeIds: true })
    const ids = Array.from({ length: 300 }, (_, n) => `s${n}`)
    await Promise.all(ids.map(id => store.set(id, { cookie: cookie() })))
    for (const batch of [1, 50, 100_000]) {
      const seen = []
      for await (const one of store.sessions({ batch })) seen.push(one.id)
      expect(seen.sort()).toStrictEqual([...ids].sort())
    }
  })

  test('may be left half-way', async () => {
    const store = openStore()
    await store.set('a', { cookie: cookie() })
    const walk = store.sessions()
    expect((await walk.next()).value.cookie.originalMaxAge).toBe(60_000)
    expect(await walk.return()).toStrictEqual({ done: true, value: undefined })
    await expect(store.sessions({ bach: 1 }).next()).rejects.toMatchObject({ code: 'BAD_OPTION' })
  })
})
