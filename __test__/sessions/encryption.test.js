'use strict'

// Encrypted sessions: what is stored, and what is read of values that were altered.

const { AerospikeStore } = require('../..')
const { cookie } = require('../support/cookie')
const { KEY, bins, data, put, record, request, visit } = require('../support/encrypted-sessions')
const { everythingIn, open, sealVersion1 } = require('../support/record')
const { freshSet, hasNoTtlNamespace, openSessions, openStore } = require('../support/server')

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
    const { digest, bins: { data, cookie: stored } } = await record(set, 'documented')
    expect(open(KEY, digest, 'data', data)).toStrictEqual({ user: 'ada' })
    expect(open(KEY, digest, 'cookie', stored)).toStrictEqual({ originalMaxAge: 60_000, httpOnly: true, path: '/' })
  })

  test('of version 1, which did not include the namespace, is read, and rewritten by the next write', async () => {
    await store.set('old', { cookie: cookie(60_000), user: 'ada' })
    const { digest } = await record(set, 'old')
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
    await put(set, 'moved', await bins(set, 'moved'), -1, 'nottl')
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
