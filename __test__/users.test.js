'use strict'

// The sessions of one user, and the walks over all of them.

const { once } = require('node:events')
const { cookie: lasting } = require('./support/cookie')
const { OfficialClient } = require('./support/official-client')
const { freshSet, hosts, openStore } = require('./support/server')

const cookie = () => lasting(60_000)

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
    const official = await OfficialClient.connect(hosts())
    await official.removeIndex('test', `user-${set}`)
    await official.close()
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

test('an index is made for a set with the longest of names', async () => {
  const set = freshSet().padEnd(63, 'x')
  const store = openStore({ set, user: 'owner' })
  await store.set('a', { cookie: cookie(), owner: 'ada' })
  await store.createUserIndex()
  const warnings = []
  store.on('warning', warning => warnings.push(warning.code))
  expect(await store.countOf('ada')).toBe(1)
  expect(warnings).toStrictEqual([])
  const official = await OfficialClient.connect(hosts())
  const [name] = await official.indexesOf(set)
  await official.removeIndex('test', name)
  await official.close()
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
