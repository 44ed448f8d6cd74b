'use strict'

// Removes a session of a user by the digest of its key.

const { once } = require('node:events')
const { cookie: lasting } = require('../support/cookie')
const { freshSet, openStore } = require('../support/server')

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
