'use strict'

// Option hashIds: without the secret, access to the database and a session id or user name do not suffice to find a session.

const crypto = require('node:crypto')
const { once } = require('node:events')
const { AerospikeStore, SessionStore } = require('../..')
const { cookie: lasting } = require('../support/cookie')
const { serve, Visitor } = require('../support/http')
const { OfficialClient } = require('../support/official-client')
const { everythingIn, open } = require('../support/record')
const { freshSet, hosts, openSessions, openStore } = require('../support/server')

const SECRET = 'a secret of more than 16 bytes'
const cookie = () => lasting(60_000)

// As in docs/security.md.
const hmac = (key, ...parts) => parts.reduce((hash, part) => hash.update(part), crypto.createHmac('sha256', key)).digest()
const length = text => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(Buffer.byteLength(text)))
  return bytes
}
const hashedId = (prefix, id) => hmac(hmac(SECRET, 'aerospike-session 2 ids'), length(prefix), prefix, id).toString('hex')
const hashedUser = user => hmac(hmac(SECRET, 'aerospike-session 2 users'), user).toString('hex')

/** AEROSPIKE_ERR_RECORD_NOT_FOUND */
const NOT_FOUND = 2

let official
beforeAll(async () => { official = await OfficialClient.connect(hosts()) })
afterAll(() => official.close())

describe('a session with hashIds', () => {
  const set = freshSet()
  const key = crypto.randomBytes(32)
  const store = openStore({ set, hashIds: SECRET, user: 'user', prefix: 'shop:', encryptionKeys: [key] })
  let site
  afterAll(() => site.stop())

  test('works as usual. Its record contains neither its id nor its user, and cannot be found by its id', async () => {
    site = await serve(store, app => {
      app.get('/login', (req, res) => { req.session.user = 'ada lovelace'; res.json(req.sessionID) })
      app.get('/read', (req, res) => res.json(req.session.user ?? null))
      app.get('/logout', (req, res, next) => req.session.destroy(error => error ? next(error) : res.json(null)))
    })
    const visitor = new Visitor(site.url)
    const { body: sid } = await visitor.get('/login')
    expect((await visitor.get('/read')).body).toBe('ada lovelace')

    const { bins, digest } = await official.get('test', set, hashedId('shop:', sid))
    expect(Object.keys(bins).sort()).toStrictEqual(['cookie', 'created', 'data', 'expires', 'prefix', 'user'])
    expect(bins.user).toBe(hashedUser('ada lovelace'))
    expect(open(key, digest, 'data', bins.data)).toStrictEqual({ user: 'ada lovelace' })
    const everything = everythingIn(bins)
    for (const text of [sid, 'ada', 'lovelace']) expect(everything).not.toContain(text)
    for (const name of [sid, `shop:${sid}`, hmac(SECRET, `shop:${sid}`).toString('hex'), crypto.createHash('sha256').update(`shop:${sid}`).digest('hex')]) {
      await expect(official.get('test', set, name)).rejects.toMatchObject({ code: NOT_FOUND })
    }

    await visitor.get('/logout')
    expect((await visitor.get('/read')).body).toBeNull()
    await expect(official.get('test', set, hashedId('shop:', sid))).rejects.toMatchObject({ code: NOT_FOUND })
  })

  test('does not exist with another secret or without one', async () => {
    await store.set('other', { cookie: cookie(), n: 1 })
    for (const hashed of [{ hashIds: 'another secret of many bytes' }, {}]) {
      expect(await openStore({ set, ...hashed, prefix: 'shop:', encryptionKeys: [key] }).get('other')).toBeNull()
    }
    const same = openStore({ set, hashIds: Buffer.from(SECRET), prefix: 'shop:', encryptionKeys: [key] })
    expect(await same.get('other')).toMatchObject({ n: 1 })
  })

  test('keeps the order of operations, is merged, and stays deleted', async () => {
    store.set('order', { cookie: cookie(), a: 1, b: 1 })
    const [one, two] = await Promise.all([store.get('order'), store.get('order')])
    one.a = 2
    two.b = 2
    store.set('order', one)
    store.set('order', two)
    expect(await store.get('order')).toMatchObject({ a: 2, b: 2 })
    const { digest } = await official.get('test', set, hashedId('shop:', 'order'))
    const goneEvent = once(store, 'gone')
    store.destroy('order')
    one.a = 3
    store.set('order', one)
    expect(await goneEvent).toStrictEqual([{ digest }])
    expect(await store.get('order')).toBeNull()
  })

  test('is the same session for the recipe, and for a store that shares its client', async () => {
    const sessions = openSessions({ set, hashIds: SECRET })
    await sessions.save('recipe', { n: 1 })
    expect(await sessions.get('recipe')).toStrictEqual({ n: 1 })
    expect((await official.get('test', set, hashedId('', 'recipe'))).bins.data).toStrictEqual({ n: 1 })
    expect(await new AerospikeStore({ client: sessions }).get('recipe')).toMatchObject({ n: 1 })
    expect(await sessions.delete('recipe')).toBe(true)
  })
})

describe.each([
  ['with the index', true],
  ['without the index', false]
])('the sessions of a user, hashed, %s', (_, indexed) => {
  const set = freshSet()
  const store = openStore({ set, user: 'userId', hashIds: SECRET })
  store.on('warning', () => {})

  beforeAll(async () => {
    for (const [id, userId] of [['a1', 'ada'], ['a2', 'ada'], ['a3', 'ada'], ['g1', 42], ['none', undefined]]) {
      await store.set(id, { cookie: cookie(), userId, name: id })
    }
    if (indexed) await store.createUserIndex()
  })

  afterAll(() => indexed && official.removeIndex('test', `user-${set}`))

  test('are found, counted, and destroyed except one', async () => {
    expect((await store.sessionsOf('ada')).map(({ name }) => name).sort()).toStrictEqual(['a1', 'a2', 'a3'])
    expect(await store.countOf('ada')).toBe(3)
    expect(await store.countOf(42)).toBe(1)
    // The bin does not contain the user's name.
    expect(await store.countOf(hashedUser('ada'))).toBe(0)
    expect(await store.destroyOf('ada', { except: 'a2' })).toBe(2)
    expect((await store.sessionsOf('ada')).map(({ name }) => name)).toStrictEqual(['a2'])
    expect(await store.length()).toBe(3)
    const moved = await store.get('g1')
    moved.userId = 'ada'
    await store.set('g1', moved)
    expect(await store.countOf('ada')).toBe(2)
    expect(await store.countOf(42)).toBe(0)
  })
})

describe('option hashIds', () => {
  test.each([
    [{ hashIds: process.env.NO_SUCH_VARIABLE }, /'hashIds' is undefined: set it, or leave it out to hash nothing$/],
    [{ hashIds: true }, /'hashIds' must be a secret, as a string or a Buffer, not a boolean/],
    [{ hashIds: 1234567812345678 }, /'hashIds' must be a secret, as a string or a Buffer, not a number$/],
    [{ hashIds: '' }, /'hashIds' must be at least 16 bytes long/],
    [{ hashIds: 'only 15 bytes !' }, /'hashIds' must be at least 16 bytes long$/],
    [{ hashIds: Buffer.alloc(15) }, /'hashIds' must be at least 16 bytes long/],
    [{ hashIds: '\ud800'.repeat(16) }, /'hashIds' must be well-formed Unicode/],
    [{ hashIds: SECRET, storeIds: true }, /options 'storeIds' and 'hashIds' contradict each other/]
  ])('%j is rejected at once with a message', (options, message) => {
    for (const Class of [SessionStore, AerospikeStore]) {
      const failure = expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringMatching(message) })
      expect(() => new Class(options)).toThrow(failure)
    }
  })

  test("and storeIds are rejected together, also if one of them is the client's", () => {
    expect(() => new AerospikeStore({ client: openSessions({ hashIds: SECRET }), storeIds: true })).toThrow(/contradict/)
    expect(() => new AerospikeStore({ client: openSessions({ storeIds: true }), hashIds: SECRET })).toThrow(/contradict/)
  })
})
