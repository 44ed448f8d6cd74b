'use strict'

// Option encryptionKeys: its checks, unknown keys, and changing keys.

const { inspect } = require('node:util')
const { AerospikeStore, SessionStore } = require('../..')
const { cookie } = require('../support/cookie')
const { DAY, KEY, OTHER, bins, data, keysOf, record, request, sites, visit } = require('../support/encrypted-sessions')
const { serve, Visitor } = require('../support/http')
const { keyId } = require('../support/record')
const { freshSet, openSessions, openStore } = require('../support/server')

describe('option encryptionKeys', () => {
  const text = KEY.toString('base64')

  test.each([
    ['no array', text, /must be an array of keys, the newest first, not a string$/],
    ['one key', KEY, /must be an array of keys, the newest first, not an object$/],
    ['true', true, /must be an array of keys, the newest first, not a boolean$/],
    ['empty', [], /must not be empty/],
    ['too short', [KEY.subarray(1)], /key 0 of option 'encryptionKeys' must be 32 bytes long, not 31/],
    ['too long', [KEY, Buffer.concat([KEY, KEY])], /key 1 of option 'encryptionKeys' must be 32 bytes long, not 64/],
    ['hexadecimal', [KEY.toString('hex')], /key 0 of option 'encryptionKeys' must be the base64 of 32 bytes/],
    ['a passphrase', ['correct horse battery staple'], /must be the base64 of 32 bytes/],
    ['base64 of fewer bytes', [KEY.subarray(2).toString('base64')], /must be the base64 of 32 bytes/],
    ['base64 with a line end', [`${text}\n`], /must be the base64 of 32 bytes/],
    ['a number', [12345678], /key 0 of option 'encryptionKeys' must be 32 bytes, as a Buffer or in base64, not a number$/],
    ['null', [null], /not null$/],
    ['of other elements', [new Uint32Array(8)], /as a Buffer or in base64, not an object$/],
    ['twice the same', [KEY, text], /has a key twice/]
  ])('that is %s is rejected at once, and the message contains no key', (_, encryptionKeys, message) => {
    for (const Class of [SessionStore, AerospikeStore]) {
      let error
      try { new Class({ encryptionKeys }) } catch (thrown) { error = thrown } // eslint-disable-line no-new
      expect(error).toMatchObject({ code: 'BAD_OPTION', message: expect.stringMatching(message) })
      for (const secret of [encryptionKeys, ...[encryptionKeys].flat()].filter(secret => typeof secret === 'string')) {
        expect(inspect(error)).not.toContain(secret.trim())
      }
      expect(inspect(error)).not.toMatch(/12345678/)
    }
  })

  test('is copied: an application may wipe its own keys', async () => {
    const mine = Buffer.from(KEY)
    const set = freshSet()
    const store = openStore({ set, encryptionKeys: [mine] })
    mine.fill(0)
    await store.set('wiped', { cookie: cookie(60_000) })
    expect((await keysOf(set, 'wiped'))[0]).toStrictEqual(keyId(KEY))
  })

  test('does not appear in util.inspect() or JSON of a store', () => {
    const sessions = openSessions({ encryptionKeys: [KEY], hashIds: 'a secret of many bytes' })
    const hashed = Buffer.from('a secret of many bytes').toString('base64')
    for (const store of [sessions, new AerospikeStore({ client: sessions }), openStore({ encryptionKeys: [text], hashIds: 'a secret of many bytes' })]) {
      const shown = [inspect(store, { depth: Infinity, showHidden: true, showProxy: true, getters: true }), JSON.stringify(store.connection?.view), JSON.stringify(store)]
      for (const secret of [text, KEY.toString('hex'), KEY.toString('latin1'), `${KEY[0].toString(16).padStart(2, '0')} ${KEY[1].toString(16).padStart(2, '0')} ${KEY[2].toString(16).padStart(2, '0')}`, 'a secret of', hashed]) {
        for (const shownText of shown) expect(String(shownText)).not.toContain(secret)
      }
    }
  })
})

describe('a record that no key can decrypt', () => {
  /** Creates a set with one such record and one that the store can read. */
  async function locked (options) {
    const set = freshSet()
    const encrypting = openStore({ set, encryptionKeys: [OTHER], user: 'user' })
    await encrypting.set('locked', { cookie: cookie(DAY), user: 'ada' })
    const store = openStore({ set, user: 'user', ...options })
    await store.set('open', { cookie: cookie(DAY), user: 'ada' })
    const warnings = []
    store.on('warning', ({ code }) => { if (code !== 'NO_USER_INDEX') warnings.push(code) })
    const before = await record(set, 'locked')
    const expectUntouched = async () => expect(await record(set, 'locked')).toMatchObject({ bins: before.bins, gen: before.gen })
    return { set, store, encrypting, warnings, expectUntouched }
  }

  describe.each([
    ['with another key', { encryptionKeys: [KEY] }, /a key that is not in option 'encryptionKeys'$/],
    ['without encryptionKeys', {}, /encrypted: it takes option 'encryptionKeys' to read it$/]
  ])('%s', (_, options, message) => {
    test('fails requests with BAD_DATA, stays unchanged, and emits one warning', async () => {
      const { store, encrypting, warnings, expectUntouched } = await locked(options)
      await expect(store.get('locked')).rejects.toMatchObject({ code: 'BAD_DATA', retryable: false, message: expect.stringMatching(message) })
      await expect(store.client.get('locked')).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringMatching(message) })
      expect(await store.client.has('locked')).toBe(true)
      await expectUntouched()
      expect(warnings).toStrictEqual(['UNREADABLE'])
      expect(await encrypting.get('locked')).toMatchObject({ user: 'ada' })
    })

    test('is an error for its visitor, who keeps the session', async () => {
      const { set, store } = await locked(options)
      store.on('warning', () => {})
      const encrypting = openStore({ set, encryptionKeys: [OTHER] })
      const { visitor, sid } = await visit(encrypting)
      const site = await serve(store, app => app.get('/', (req, res) => res.json(null)))
      sites.push(site)
      const there = Object.assign(new Visitor(site.url), { cookies: visitor.cookies })
      const before = await record(set, sid)
      expect(await there.get('/')).toMatchObject({ status: 500, body: { code: 'BAD_DATA' } })
      expect(await record(set, sid)).toMatchObject({ bins: before.bins, gen: before.gen })
      expect((await visitor.get('/read')).body.user).toBe('ada lovelace')
    })

    test('hides no other session from all(), sessions() and sessionsOf()', async () => {
      const { store, warnings, expectUntouched } = await locked(options)
      const found = [await store.all(), await store.sessionsOf('ada'), []]
      for await (const one of store.sessions()) found[2].push(one)
      for (const sessions of found) expect(sessions).toMatchObject([{ user: 'ada', cookie: { originalMaxAge: DAY } }])
      expect(await store.length()).toBe(2)
      expect(await store.countOf('ada')).toBe(2)
      expect(warnings).toStrictEqual(['UNREADABLE'])
      await expectUntouched()
    })
  })

  test('is not overwritten by a store that loaded it before it was encrypted', async () => {
    for (const format of ['map', 'json']) {
      const set = freshSet()
      const plain = openStore({ set, format })
      plain.on('warning', () => {})
      const encrypting = openStore({ set, encryptionKeys: [KEY] })
      await plain.set('slow', { cookie: cookie(60_000), a: 1, b: 1 })
      const slow = await plain.get('slow')
      await request(encrypting, 'slow', session => { session.a = 2 })
      slow.b = 2
      await expect(plain.set('slow', slow)).rejects.toMatchObject({ code: 'BAD_DATA' })
      expect(await data(encrypting, 'slow')).toStrictEqual({ a: 2, b: 1 })
    }
  })

  test('can be removed, and replaced by a new session with its id', async () => {
    const { set, store } = await locked({ encryptionKeys: [KEY] })
    await store.set('locked', { cookie: cookie(DAY), fresh: true })
    expect(await data(store, 'locked')).toStrictEqual({ fresh: true })
    const others = openStore({ set, encryptionKeys: [OTHER] })
    await others.destroy('locked')
    expect(await store.get('locked')).toBeNull()
  })
})

describe('changing keys', () => {
  const set = freshSet()
  const stores = Object.fromEntries(Object.entries({ old: [OTHER], both: [KEY, OTHER], fresh: [KEY] })
    .map(([name, encryptionKeys]) => [name, openStore({ set, encryptionKeys })]))
  stores.old.on('warning', () => {})

  test.each([
    ['changes something', (store, session) => { session.n = 2; return store.set('moved', session) }, { n: 2 }],
    ['changes nothing', (store, session) => store.set('moved', session), { n: 1 }],
    ['is a touch', (store, session) => store.touch('moved', session), { n: 1 }]
  ])('takes effect with the next write, also if that %s', async (_, write, expected) => {
    const { old, both, fresh } = stores
    await old.set('moved', { cookie: cookie(60_000), n: 1 })
    const { created } = await bins(set, 'moved')
    const loaded = await both.get('moved')
    expect(await keysOf(set, 'moved')).toStrictEqual([keyId(OTHER), keyId(OTHER)])
    await write(both, loaded)
    expect(await keysOf(set, 'moved')).toStrictEqual([keyId(KEY), keyId(KEY)])
    expect(await bins(set, 'moved')).toMatchObject({ created })
    expect(await fresh.get('moved')).toMatchObject({ ...expected, cookie: { originalMaxAge: 60_000 } })
    await expect(old.get('moved')).rejects.toMatchObject({ code: 'BAD_DATA' })
  })

  test('takes effect with requests that only read, also with touchOnRead', async () => {
    for (const options of [{}, { touchOnRead: 80 }, { touchAfter: 3_600 }]) {
      const { visitor, sid } = await visit(stores.old)
      const site = await serve(openStore({ set, encryptionKeys: [KEY, OTHER], ...options }), app => app.get('/', (req, res) => res.json(req.session.user)), { cookie: { maxAge: DAY } })
      sites.push(site)
      const there = Object.assign(new Visitor(site.url), { cookies: visitor.cookies })
      expect((await there.get('/')).body).toBe('ada lovelace')
      expect(await keysOf(set, sid)).toStrictEqual([keyId(KEY), keyId(KEY)])
      expect((await there.get('/')).body).toBe('ada lovelace')
    }
  })

  test('loses no change of two parallel requests', async () => {
    await stores.old.set('both', { cookie: cookie(60_000), a: 1, b: 1, c: 1 })
    const [one, two, three] = [await stores.both.get('both'), await stores.both.get('both'), await stores.both.get('both')]
    one.a = 2
    two.b = 2
    two.cookie.path = '/two'
    await Promise.all([stores.both.set('both', one), stores.both.set('both', two)])
    await stores.both.touch('both', three)
    expect(await stores.fresh.get('both')).toMatchObject({ a: 2, b: 2, c: 1, cookie: { path: '/two' } })
  })
})
