'use strict'

// The sessions of one user: finding, counting and removing them.

const crypto = require('node:crypto')
const { once } = require('node:events')
const { cookie: lasting } = require('../support/cookie')
const collidingUsers = require('../support/colliding-users')
const { OfficialClient } = require('../support/official-client')
const { freshSet, hosts, openSessions, openStore } = require('../support/server')

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
