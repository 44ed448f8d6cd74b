'use strict'

// Option encryptionKeys: the database is useless without a key, and no data is lost when encryption is introduced, when keys
// change, or when a key is missing.

const crypto = require('node:crypto')
const { once } = require('node:events')
const { inspect } = require('node:util')
const { AerospikeStore, SessionStore } = require('../..')
const { cookie } = require('../support/cookie')
const { serve, Visitor } = require('../support/http')
const { OfficialClient } = require('../support/official-client')
const { everythingIn, keyId, keyIdOf, open, sealVersion1 } = require('../support/record')
const { freshSet, hasNoTtlNamespace, hosts, openSessions, openStore } = require('../support/server')

const [KEY, OTHER] = [crypto.randomBytes(32), crypto.randomBytes(32)]
const DAY = 86_400_000

let official
const sites = []
beforeAll(async () => { official = await OfficialClient.connect(hosts()) })
afterAll(async () => {
  for (const site of sites) await site.stop()
  await official.close()
})

const bins = async (set, id) => (await official.get('test', set, id)).bins
const put = (set, id, bins, ttl = 600) => official.put(['test', set, id], bins, ttl)

/** Returns the key id of each encrypted bin of a record. */
async function keysOf (set, id) {
  const { data, cookie } = await bins(set, id)
  return [data, cookie].map(blob => Buffer.isBuffer(blob) ? keyIdOf(blob) : typeof blob)
}

/** Loads a session, changes it and sets it, like a request. */
async function request (store, sid, change) {
  const loaded = await store.get(sid)
  change(loaded)
  await store.set(sid, loaded)
}

/** Returns the stored data without the cookie. */
async function data (store, sid) {
  const { cookie, ...data } = await store.get(sid)
  return data
}

/** Starts an app in which a visitor logs in and out, reads, and changes a key. The path `slow` waits for the test. */
async function visit (store, gates = {}) {
  const site = await serve(store, app => {
    app.get('/login', (req, res) => {
      Object.assign(req.session, { user: 'ada lovelace', card: '4111 1111 1111 1111' })
      req.session.cookie.path = '/'
      req.session.cookie.domain = 'domain-of-the-cookie.example'
      res.json(req.sessionID)
    })
    app.get('/read', (req, res) => res.json({ ...req.session, cookie: undefined }))
    app.get('/set/:key', async (req, res) => {
      req.session[req.params.key] = 'changed'
      await gates[req.params.key]?.()
      res.json(null)
    })
    app.get('/logout', (req, res, next) => req.session.destroy(error => error ? next(error) : res.json(null)))
  }, { cookie: { maxAge: DAY } })
  sites.push(site)
  const visitor = new Visitor(site.url)
  const { body: sid } = await visitor.get('/login')
  return { site, visitor, sid }
}

/** Returns another tab of the same browser. */
function beside (visitor) {
  return Object.assign(new Visitor(visitor.url), { cookies: visitor.cookies })
}

describe('a session with encryptionKeys', () => {
  const set = freshSet()
  const store = openStore({ set, encryptionKeys: [KEY] })

  test('works as usual, and the record contains none of it in clear text', async () => {
    const { visitor, sid } = await visit(store)
    await visitor.get('/set/colour')
    expect((await visitor.get('/read')).body).toStrictEqual({ user: 'ada lovelace', card: '4111 1111 1111 1111', colour: 'changed' })
    const stored = await bins(set, sid)
    expect(Object.keys(stored).sort()).toStrictEqual(['cookie', 'created', 'data', 'expires'])
    const everything = everythingIn(stored)
    for (const text of ['ada', 'user', 'card', '4111', 'colour', 'changed', 'domain', 'originalMaxAge', 'httpOnly', sid]) {
      expect(everything).not.toContain(text)
    }
  })

  test('decrypts as docs/security.md says', async () => {
    await store.set('documented', { cookie: cookie(60_000), user: 'ada' })
    const { digest, bins: { data, cookie: stored } } = await official.get('test', set, 'documented')
    expect(open(KEY, digest, 'data', data)).toStrictEqual({ user: 'ada' })
    expect(open(KEY, digest, 'cookie', stored)).toStrictEqual({ originalMaxAge: 60_000, httpOnly: true, path: '/' })
  })

  test('of version 1, which did not include the namespace, is read, and rewritten by the next write', async () => {
    await store.set('old', { cookie: cookie(60_000), user: 'ada' })
    const { digest } = await official.get('test', set, 'old')
    const seal = (bin, value) => ({ [bin]: sealVersion1(KEY, digest, bin, value) })
    await put(set, 'old', { ...seal('data', { user: 'grace' }), ...seal('cookie', { originalMaxAge: 60_000 }) })
    const loaded = await store.get('old')
    expect(loaded).toMatchObject({ user: 'grace', cookie: { originalMaxAge: 60_000 } })
    await store.touch('old', loaded)
    const { data } = await bins(set, 'old')
    expect(open(KEY, digest, 'data', data)).toStrictEqual({ user: 'grace' })
  })

  test('is encrypted differently each time', async () => {
    await store.set('anew', { cookie: cookie(60_000), n: 1 })
    const before = await bins(set, 'anew')
    await store.set('anew', { cookie: cookie(60_000), n: 1 })
    const after = await bins(set, 'anew')
    expect(after.data.equals(before.data)).toBe(false)
    expect(after.cookie.equals(before.cookie)).toBe(false)
  })

  test('may contain any JSON', async () => {
    const odd = { '': null, lone: '\ud800', big: 1e300, nested: [{ a: ['é😀\u2028'] }], text: 'x'.repeat(100_000) }
    await store.set('odd', { cookie: cookie(60_000), ...odd })
    expect(await data(store, 'odd')).toStrictEqual(JSON.parse(JSON.stringify(odd)))
    let deep = {}
    for (let n = 0; n < 200; n++) deep = { deep }
    await expect(store.set('deep', { cookie: cookie(60_000), deep })).rejects.toMatchObject({ code: 'BAD_DATA' })
  })

  test('keeps its cookie with or without an expiry', async () => {
    await store.set('end', { cookie: cookie(60_000) })
    const { cookie: { originalMaxAge, expires } } = await store.get('end')
    expect(originalMaxAge).toBe(60_000)
    expect(Math.abs(new Date(expires) - Date.now() - 60_000)).toBeLessThan(5_000)
    await store.set('end', { cookie: cookie(undefined, { path: '/\ud800' }) })
    expect((await store.get('end')).cookie).toStrictEqual({ originalMaxAge: null, path: '/\ud800', httpOnly: true, expires: null })
  })

  test('without a cookie gets one', async () => {
    await store.set('bare', { n: 1 })
    expect(await store.get('bare')).toMatchObject({ n: 1, cookie: { originalMaxAge: 86_400_000, httpOnly: true, path: '/' } })
  })

  test('is saved and read by the recipe, and the keys are shared with stores that share the client', async () => {
    const sessions = openSessions({ set, encryptionKeys: [KEY.toString('base64url')] })
    await sessions.save('recipe', { user: 'ada lovelace' })
    expect(everythingIn(await bins(set, 'recipe'))).not.toContain('lovelace')
    expect(await sessions.get('recipe')).toStrictEqual({ user: 'ada lovelace' })
    const express = new AerospikeStore({ client: sessions })
    await request(express, 'recipe', session => { session.n = 1 })
    expect(everythingIn(await bins(set, 'recipe'))).not.toContain('lovelace')
    expect(await data(store, 'recipe')).toStrictEqual({ user: 'ada lovelace', n: 1 })
  })

  test('is touched without being rewritten, unless its cookie changed', async () => {
    await store.set('touched', { cookie: cookie(60_000), n: 1 })
    const before = await bins(set, 'touched')
    const loaded = await store.get('touched')
    loaded.cookie.expires = new Date(Date.now() + 120_000)
    await store.touch('touched', loaded)
    const after = await bins(set, 'touched')
    expect(after.expires).toBeGreaterThan(before.expires + 30_000)
    expect([after.data, after.cookie]).toStrictEqual([before.data, before.cookie])
    const changed = await store.get('touched')
    changed.cookie.path = '/private'
    await store.touch('touched', changed)
    expect((await store.get('touched')).cookie.path).toBe('/private')
    expect(everythingIn(await bins(set, 'touched'))).not.toContain('private')
  })
})

describe('an encrypted value', () => {
  const set = freshSet()
  const store = openStore({ set, encryptionKeys: [KEY] })
  store.on('warning', () => {})

  /** Sets a session, changes its bins with `change`, and checks that it cannot be decrypted and stays unchanged. */
  async function expectAltered (change) {
    const [mine, theirs] = ['mine', 'theirs']
    for (const id of [mine, theirs]) await store.set(id, { cookie: cookie(60_000), user: id })
    await put(set, mine, change(await bins(set, mine), await bins(set, theirs)))
    const altered = await bins(set, mine)
    await expect(store.get(mine)).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('was altered since') })
    expect(await bins(set, mine)).toStrictEqual(altered)
    await store.destroy(mine)
  }

  test.each(['data', 'cookie'])('cannot be decrypted in another record: bin %s', bin =>
    expectAltered((mine, theirs) => ({ [bin]: theirs[bin] })))

  test.each([['data', 'cookie'], ['cookie', 'data']])('cannot be decrypted in another bin: from %s to %s', (from, to) =>
    expectAltered(mine => ({ [to]: mine[from] })))

  test.each(['data', 'cookie'])('cannot be decrypted with any flipped bit: bin %s', async bin => {
    for (const place of [13, 25, -17, -1]) {
      await expectAltered(mine => {
        const blob = Buffer.from(mine[bin])
        blob[(place + blob.length) % blob.length] ^= 1
        return { [bin]: blob }
      })
    }
  })

  test('cannot be decrypted in another namespace', async () => {
    if (!await hasNoTtlNamespace()) return console.warn('not run: the cluster has no namespace nottl')
    const other = openStore({ set, namespace: 'nottl', encryptionKeys: [KEY] })
    other.on('warning', () => {})
    await store.set('moved', { cookie: cookie(60_000), role: 'admin' })
    await official.put(['nottl', set, 'moved'], await bins(set, 'moved'), -1)
    await expect(other.get('moved')).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('was altered since') })
    await other.destroy('moved')
  })

  test('cannot be decrypted if it is truncated', () => expectAltered(mine => ({ data: mine.data.subarray(0, -1) })))

  test('of a later version is reported as such', async () => {
    await store.set('later', { cookie: cookie(60_000) })
    const { data } = await bins(set, 'later')
    data[4] = 3
    await put(set, 'later', { data })
    await expect(store.get('later')).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringContaining('a later version') })
  })

  test('is not confused with bytes of other clients', async () => {
    await put(set, 'bytes', { data: Buffer.from('gobbledygook') })
    await expect(store.get('bytes')).rejects.toMatchObject({ code: 'BAD_DATA', message: expect.stringMatching(/what is stored is not a plain object$/) })
    await put(set, 'inside', { data: { blob: Buffer.from('a573657301', 'hex') } })
    expect(await store.get('inside')).toMatchObject({ blob: { type: 'Buffer', data: [0xa5, 0x73, 0x65, 0x73, 1] } })
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
    const before = await official.get('test', set, 'locked')
    const expectUntouched = async () => expect(await official.get('test', set, 'locked')).toMatchObject({ bins: before.bins, gen: before.gen })
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
      const before = await official.get('test', set, sid)
      expect(await there.get('/')).toMatchObject({ status: 500, body: { code: 'BAD_DATA' } })
      expect(await official.get('test', set, sid)).toMatchObject({ bins: before.bins, gen: before.gen })
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

describe('parallel requests', () => {
  function gate () {
    const { promise: reached, resolve: arrive } = Promise.withResolvers?.() ?? withResolvers()
    const { promise: opened, resolve: open } = Promise.withResolvers?.() ?? withResolvers()
    return { reached, open, pass: () => { arrive(); return opened } }
  }

  function withResolvers () {
    const made = {}
    made.promise = new Promise(resolve => { made.resolve = resolve })
    return made
  }

  test('on an encrypted session lose no change', async () => {
    const [one, two] = [gate(), gate()]
    const { visitor } = await visit(openStore({ encryptionKeys: [KEY] }), { one: one.pass, two: two.pass })
    const answers = [visitor.get('/set/one'), beside(visitor).get('/set/two')]
    await Promise.all([one.reached, two.reached])
    one.open()
    await answers[0]
    two.open()
    await answers[1]
    expect((await visitor.get('/read')).body).toMatchObject({ user: 'ada lovelace', one: 'changed', two: 'changed' })
  })

  test('on an encrypted session do not undo a logout', async () => {
    const slow = gate()
    const store = openStore({ encryptionKeys: [KEY] })
    const { visitor, sid } = await visit(store, { slow: slow.pass })
    const answer = beside(visitor).get('/set/slow')
    await slow.reached
    await visitor.get('/logout')
    const emitted = once(store, 'gone')
    slow.open()
    await answer
    await emitted
    expect(await store.get(sid)).toBeNull()
  })
})

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
