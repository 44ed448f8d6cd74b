'use strict'

// Baselines match the records: an acknowledged change is stored, and `gone` is emitted only for removed sessions. With every
// option, and with writers that do not know of each other.

const crypto = require('node:crypto')
const { setImmediate: turn } = require('node:timers/promises')
const { AerospikeStore } = require('../..')
const { cookie: lasting } = require('../support/cookie')
const { serve, Visitor } = require('../support/http')
const { OfficialClient } = require('../support/official-client')
const { freshSet, hosts, openSessions, openStore } = require('../support/server')

jest.setTimeout(120_000)

/** The number of logins for each option. Raise it for a longer search. */
const LOGINS = Number(process.env.LOGINS ?? 40)
const TOGETHER = 20
const KEY = crypto.randomBytes(32)
const cookie = () => lasting(60_000)
const OPTIONS = [
  {}, { format: 'json' }, { encryptionKeys: [KEY] }, { absoluteTtl: 3_600 }, { absoluteTtl: 3_600, format: 'json' },
  { absoluteTtl: 3_600, encryptionKeys: [KEY] }, { touchAfter: 60 }, { touchOnRead: 80 }, { hashIds: 'a secret of more than 16 bytes' },
  { storeIds: true }, { tombstones: true }, { prefix: 'shop:' }, { conflict: 'overwrite' }, { conflict: 'overwrite', format: 'json' },
  { user: 'user' }, { ttl: () => 600 }
]
const named = OPTIONS.map(options => [Object.entries(options).map(([name, value]) => typeof value === 'string' ? `${name} ${value}` : name).join(', ') || 'no options', options])

let official
beforeAll(async () => { official = await OfficialClient.connect(hosts()) })
afterAll(() => official.close())

/** Opens a store, and collects the digests of its `gone` events. */
function watched (options) {
  const store = openStore(options)
  const gone = []
  store.on('gone', ({ digest }) => gone.push(digest))
  store.on('warning', () => {})
  return { store, gone }
}

describe.each(named)('with %s', (_, options) => {
  test('a login that regenerates, saves, changes and ends loses nothing', async () => {
    const { store, gone } = watched(options)
    const site = await serve(store, app => {
      app.get('/login', (req, res, next) => req.session.regenerate(error => {
        if (error) return next(error)
        req.session.user = 'ada'
        req.session.save(error => {
          if (error) return next(error)
          req.session.welcomed = true
          res.json(req.session.user)
        })
      }))
      app.get('/me', (req, res) => res.json([req.session.user, req.session.welcomed]))
    }, { cookie: { maxAge: 1_800_000 } })
    const login = async () => {
      const visitor = new Visitor(site.url)
      await visitor.get('/login')
      return (await visitor.get('/me')).body
    }
    for (let done = 0; done < LOGINS; done += TOGETHER) {
      const logins = await Promise.all(Array.from({ length: TOGETHER }, login))
      for (const found of logins) expect(found).toStrictEqual(['ada', true])
    }
    await site.stop()
    expect(gone).toStrictEqual([])
  }, 60_000 + 30 * LOGINS)

  test('an object that is set repeatedly is always the same session', async () => {
    const { store, gone } = watched(options)
    const session = { cookie: cookie(), n: 0 }
    await store.set('a', session)
    // Like a framework that copies the session: no baseline.
    const copy = { cookie: cookie(), n: 1 }
    for (const one of [copy, copy, copy]) {
      one.n++
      await store.set('a', one)
      expect(await store.get('a')).toMatchObject({ n: one.n })
    }
    session.mine = true
    await store.set('a', session)
    expect(await store.get('a')).toMatchObject({ mine: true })
    expect(gone).toStrictEqual([])
  })

  /** Programs that write a whole session without a baseline. */
  const writers = {
    'another store': (set, whole) => openStore({ set, ...options }).set('a', { cookie: cookie(), ...whole }),
    'a program that lists and copies sessions': async (set, { notice }) => {
      const store = openStore({ set, ...options })
      const [one] = await store.all()
      await store.set('a', { ...one, notice })
    },
    'the recipe': (set, whole) => {
      const { conflict, touchAfter, user, ttl, ...recipe } = options
      return openSessions({ set, ...recipe }).save('a', whole)
    }
  }

  test.each(Object.keys(writers))('a request in flight keeps its change when %s writes the whole session', async writer => {
    const set = freshSet()
    const { store, gone } = watched({ set, ...options })
    await store.set('a', { cookie: cookie(), user: 'ada', n: 1 })
    const loaded = await store.get('a')
    const idle = await store.get('a')
    await writers[writer](set, { user: 'ada', n: 1, notice: 'closed on Monday' })
    loaded.cart = ['book']
    await store.set('a', loaded)
    idle.cookie.originalMaxAge = 120_000
    idle.cookie.expires = new Date(Date.now() + 120_000)
    await store.touch('a', idle)
    await turn()
    expect(gone).toStrictEqual([])
    const now = await store.get('a')
    expect(now).toMatchObject({ user: 'ada', n: 1, cart: ['book'] })
    if (options.conflict === undefined) expect(now).toMatchObject({ notice: 'closed on Monday' })
    if (options.ttl === undefined && options.touchAfter === undefined) expect(now.cookie.originalMaxAge).toBe(120_000)
  })

  test('a session that was removed and created again is another one', async () => {
    const set = freshSet()
    const { store, gone } = watched({ set, ...options })
    for (const [n, writer] of ['another store', 'the recipe'].entries()) {
      await store.set('a', { cookie: cookie(), user: 'ada', n: 1 })
      const loaded = await store.get('a')
      await store.destroy('a')
      await writers[writer](set, { user: 'grace', n: 2 })
      loaded.cart = ['book']
      await store.set('a', loaded)
      await turn()
      expect(gone).toHaveLength(n + 1)
      const now = await store.get('a')
      expect(now).toMatchObject({ user: 'grace', n: 2 })
      expect(now).not.toHaveProperty('cart')
    }
  })
})

describe.each(named)('a session from a list, with %s', (_, options) => {
  /** Every method that lists sessions. */
  const lists = {
    'all()': store => store.all(),
    'sessions()': async store => {
      const found = []
      for await (const one of store.sessions()) found.push(one)
      return found
    },
    'sessionsOf()': store => store.sessionsOf('ada')
  }

  test.each(Object.keys(lists))('is merged like a loaded one: %s', async list => {
    const { store, gone } = watched({ ...options, user: 'user' })
    for (const id of ['a', 'é😀']) await store.set(id, { cookie: cookie(), user: 'ada', who: id, text: 'ü😀', id: 'the app\'s own', n: 1 })
    const found = await lists[list](store)
    expect(found.map(({ who }) => who).sort()).toStrictEqual(['a', 'é😀'])
    expect(found.map(({ text }) => text)).toStrictEqual(['ü😀', 'ü😀'])
    const one = found.find(({ who }) => who === 'a')
    const request = await store.get('a')
    request.cart = ['book']
    await store.set('a', request)
    one.notice = 'closed on Monday'
    await store.set('a', one)
    one.notice = 'closed on Tuesday'
    delete one.n
    await store.touch('a', one)
    await store.set('a', one)
    const now = await store.get('a')
    expect(now).toMatchObject({ notice: 'closed on Tuesday', user: 'ada', who: 'a', text: 'ü😀' })
    expect(now).not.toHaveProperty('n')
    if (options.conflict === undefined) expect(now).toMatchObject({ cart: ['book'], id: 'the app\'s own' })
    else expect(now.id).not.toBe('a')
    await store.destroy('é😀')
    const other = found.find(({ who }) => who !== 'a')
    other.late = true
    await store.set('é😀', other)
    await turn()
    expect(await store.get('é😀')).toBeNull()
    expect(gone).toHaveLength(1)
  })

  test('is a new one under another id', async () => {
    const { store } = watched(options)
    await store.set('a', { cookie: cookie(), n: 1 })
    const [one] = await store.all()
    await store.set('b', one)
    expect(await store.get('b')).toMatchObject({ n: 1 })
  })
})

test('the creation time is kept as long as the session lives, whoever writes it, and starts anew with the next session', async () => {
  const set = freshSet()
  const store = openStore({ set })
  const sessions = openSessions({ set })
  const createdAt = async () => (await official.get('test', set, 'a')).bins.created
  await sessions.save('a', { n: 1 })
  const created = await createdAt()
  expect(Math.abs(created - Date.now())).toBeLessThan(5_000)
  await new Promise(resolve => setTimeout(resolve, 5))
  await store.set('a', { cookie: cookie(), n: 2 })
  await sessions.save('a', { n: 3 })
  const loaded = await store.get('a')
  loaded.n = 4
  await store.set('a', loaded)
  expect(await createdAt()).toBe(created)
  await store.destroy('a')
  await store.set('a', { cookie: cookie(), n: 5 })
  expect(await createdAt()).toBeGreaterThan(created)
})

test('a new session has no data of an expired one under the same id whose record still exists', async () => {
  const set = freshSet()
  const store = openStore({ set, user: 'user' })
  store.on('warning', () => {})
  const past = Date.now() - 60_000
  await official.put(['test', set, 'a'], { data: { old: true }, created: past, expires: past + 1, user: 'ada', session: '{"old":true}' }, -1)
  await store.set('a', { cookie: cookie(), n: 1 })
  const { bins } = await official.get('test', set, 'a')
  expect(bins).toMatchObject({ data: { n: 1 } })
  expect(bins.created).toBeGreaterThan(past)
  expect(Object.keys(bins).sort()).toStrictEqual(['cookie', 'created', 'data', 'expires'])
  expect(await store.countOf('ada')).toBe(0)
})

test('a set after a whole write of the same object needs no other read of the record', async () => {
  // The baseline has the generation of the write, so a change of JSON is one write without a merge.
  const store = new AerospikeStore({ hosts: hosts(), set: freshSet(), format: 'json' })
  const conflicts = []
  store.on('conflict', conflict => conflicts.push(conflict))
  const session = { cookie: cookie(), n: 1 }
  await store.set('a', session)
  session.n = 2
  await store.set('a', session)
  await turn()
  expect(conflicts).toStrictEqual([])
  expect(await store.get('a')).toMatchObject({ n: 2 })
  await store.clear()
  await store.close()
})
