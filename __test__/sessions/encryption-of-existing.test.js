'use strict'

// Sessions that were stored unencrypted are encrypted by the next write.

const { cookie } = require('../support/cookie')
const { KEY, bins, data, keysOf, put, request } = require('../support/encrypted-sessions')
const { everythingIn, keyId } = require('../support/record')
const { freshSet, openStore } = require('../support/server')

describe.each([
  ['a map', { format: 'map' }],
  ['JSON', { format: 'json' }],
  ['a map that is merged by the last write winning', { format: 'map' }, { conflict: 'overwrite' }]
])('a session stored as %s, after encryption is switched on', (_, before, after) => {
  const set = freshSet()
  const plain = openStore({ set, ...before })
  const store = openStore({ set, encryptionKeys: [KEY], ...after })
  const encrypted = [keyId(KEY), keyId(KEY)]

  test('is read, and encrypted by the next set', async () => {
    await plain.set('next', { cookie: cookie(60_000), user: 'ada', n: 1 })
    const { created } = await bins(set, 'next')
    await request(store, 'next', session => { session.n = 2 })
    expect(await keysOf(set, 'next')).toStrictEqual(encrypted)
    expect(await bins(set, 'next')).toMatchObject({ created })
    expect(await store.get('next')).toMatchObject({ user: 'ada', n: 2, cookie: { originalMaxAge: 60_000, path: '/' } })
  })

  test('is encrypted by a set without changes, and by a touch', async () => {
    for (const write of ['set', 'touch']) {
      await plain.set(write, { cookie: cookie(60_000), user: 'ada' })
      await store[write](write, await store.get(write))
      expect(await keysOf(set, write)).toStrictEqual(encrypted)
      expect(await data(store, write)).toStrictEqual({ user: 'ada' })
    }
  })

  test('keeps changes of other requests when a touch encrypts it', async () => {
    await plain.set('others', { cookie: cookie(60_000), a: 1 })
    const looking = await store.get('others')
    await request(plain, 'others', session => { session.a = 2; session.cookie.path = '/other' })
    await store.touch('others', looking)
    expect(await keysOf(set, 'others')).toStrictEqual(encrypted)
    expect(await data(store, 'others')).toStrictEqual({ a: 2 })
  })

  test('stays deleted after a logout', async () => {
    for (const write of ['set', 'touch']) {
      await plain.set('gone', { cookie: cookie(60_000), a: 1 })
      const slow = await store.get('gone')
      await plain.destroy('gone')
      slow.a = 2
      await store[write]('gone', slow)
      expect(await store.get('gone')).toBeNull()
    }
  })
})

test('records of the recipe and of aerospike-session-store 0.4 are read, and encrypted by the next write', async () => {
  const set = freshSet()
  const store = openStore({ set, encryptionKeys: [KEY] })
  await put(set, 'foreign', { data: { user: 'ada' } })
  await put(set, 'old', { session: JSON.stringify({ cookie: cookie(600_000), user: 'ada' }) })
  for (const id of ['foreign', 'old']) {
    await request(store, id, session => { session.n = 1 })
    expect(await keysOf(set, id)).toStrictEqual([keyId(KEY), keyId(KEY)])
    await request(store, id, session => { session.n = 2 })
    expect(await data(store, id)).toStrictEqual({ user: 'ada', n: 2 })
    expect(everythingIn(await bins(set, id))).not.toContain('ada')
  }
})
