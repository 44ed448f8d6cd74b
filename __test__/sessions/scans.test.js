'use strict'

// The scans over all sessions.

const { cookie: lasting } = require('../support/cookie')
const { openStore } = require('../support/server')

const cookie = () => lasting(60_000)

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
