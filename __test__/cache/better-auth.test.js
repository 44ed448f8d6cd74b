'use strict'

// The secondary storage: with better-auth itself on real sockets, and by itself.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { once } = require('node:events')
const { setTimeout: pause } = require('node:timers/promises')
const { pathToFileURL } = require('node:url')
const { SessionStore } = require('../..')
const { KeyvAerospike } = require('../../exports/keyv')
const { secondaryStorage } = require('../../exports/better-auth')
const { Browser, ORIGIN, launch, startSite } = require('../support/better-auth-site')
const { extraPackages } = require('../support/extra-packages')
const { OfficialClient } = require('../support/official-client')
const { cleanups, open, start } = require('../support/opened')
const { blocksOf } = require('../support/pages')
const { everythingIn } = require('../support/record')
const { freshSet, hosts } = require('../support/server')

// The first run installs better-auth.
jest.setTimeout(300_000)

const ROOT = path.join(__dirname, '../..')
const PASSWORD = 'correct horse battery'

/** Removes what was stored in a set. */
async function empty (set, options = {}) {
  const cache = new KeyvAerospike({ hosts: hosts(), set, ...options })
  await cache.clear()
  await cache.disconnect()
}

/** Starts the site, and stops it after the test. `home`: where its users are kept while it is stopped. */
async function site (set, home, options = {}) {
  const started = await startSite({ hosts: hosts(), set, home, options })
  cleanups.push(started.stop)
  return started
}

function folder () {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'better-auth-'))
  cleanups.push(() => fs.rmSync(home, { recursive: true }))
  return home
}

describe.each([
  ['plain', {}],
  ['encrypted, with hashed keys', { encryptionKeys: [Buffer.alloc(32, 5).toString('base64')], hashIds: 'a secret of at least 16 bytes' }]
])('a site with better-auth, %s', (_, options) => {
  let set, home, url
  beforeEach(async () => {
    set = freshSet()
    cleanups.push(() => empty(set, options))
    home = folder()
    url = (await site(set, home, options)).url
  })

  const signUp = async (email, browser = new Browser(url)) => {
    expect(await browser.ask('/sign-up/email', { name: 'Ada', email, password: PASSWORD })).toMatchObject({ status: 200 })
    return browser
  }
  const signIn = async (email, password = PASSWORD, browser = new Browser(url)) => {
    return { browser, ...await browser.ask('/sign-in/email', { email, password }) }
  }

  test('signs up, signs in, lists sessions and revokes one', async () => {
    const first = await signUp('ada@example.com')
    const { browser: second, status } = await signIn('ada@example.com')
    expect(status).toBe(200)
    expect([await first.user(), await second.user()]).toEqual(['ada@example.com', 'ada@example.com'])
    const { json: sessions } = await second.ask('/list-sessions')
    expect(sessions).toHaveLength(2)
    const { json: { session } } = await first.ask('/get-session')
    expect(await second.ask('/revoke-session', { token: session.token })).toMatchObject({ status: 200 })
    expect([await first.user(), await second.user()]).toEqual([null, 'ada@example.com'])
    expect((await second.ask('/list-sessions')).json).toHaveLength(1)
    expect(await second.ask('/sign-out', {})).toMatchObject({ status: 200 })
    expect(await second.user()).toBeNull()
  })

  test('refuses a wrong password, and limits the tries of an address', async () => {
    await signUp('bob@example.com')
    const browser = new Browser(url)
    const statuses = []
    for (let tries = 0; tries < 4; tries++) statuses.push((await signIn('bob@example.com', 'wrong password', browser)).status)
    // better-auth allows three in ten seconds.
    expect(statuses).toEqual([401, 401, 401, 429])
    expect((await signIn('bob@example.com')).status).toBe(200)
  })

  test('limits parallel tries', async () => {
    await signUp('eve@example.com')
    const browser = new Browser(url)
    const tries = await Promise.all(Array.from({ length: 20 }, () => signIn('eve@example.com', 'wrong password', browser)))
    expect(tries.filter(({ status }) => status === 401)).toHaveLength(3)
    expect(tries.filter(({ status }) => status === 429)).toHaveLength(17)
  })

  test('keeps sessions and limits over a restart', async () => {
    const restarted = freshSet()
    cleanups.push(() => empty(restarted, options))
    const before = await site(restarted, home, options)
    const browser = await signUp('eva@example.com', new Browser(before.url))
    for (let tries = 0; tries < 3; tries++) await signIn('eva@example.com', 'wrong password', browser)
    expect(await browser.user()).toBe('eva@example.com')
    await before.stop()
    browser.url = (await site(restarted, home, options)).url
    expect(await browser.user()).toBe('eva@example.com')
    expect((await signIn('eva@example.com', 'wrong password', browser)).status).toBe(429)
  })
})

test('a token to reset the password works once', async () => {
  const set = freshSet()
  cleanups.push(() => empty(set))
  const { url, lines } = await site(set, folder())
  const browser = new Browser(url)
  await browser.ask('/sign-up/email', { name: 'Ada', email: 'ada@example.com', password: PASSWORD })
  const line = once(lines, 'line')
  expect(await browser.ask('/request-password-reset', { email: 'ada@example.com' })).toMatchObject({ status: 200 })
  const token = (await line)[0].split(' ')[1]
  const resets = await Promise.all(Array.from({ length: 5 }, (_, n) => new Browser(url).ask('/reset-password', { token, newPassword: `new password ${n}` })))
  expect(resets.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400, 400])
  const won = resets.findIndex(({ status }) => status === 200)
  expect(await new Browser(url).ask('/sign-in/email', { email: 'ada@example.com', password: `new password ${won}` })).toMatchObject({ status: 200 })
})

test('the example of docs/better-auth.md', async () => {
  const packages = await extraPackages()
  const home = fs.mkdtempSync(path.join(packages, 'example-'))
  cleanups.push(() => fs.rmSync(home, { recursive: true }), () => empty('better-auth'))
  const { code } = blocksOf('docs/better-auth.md').find(({ file }) => file === 'auth.mjs')
  const local = name => pathToFileURL(path.join(ROOT, name)).href
  fs.writeFileSync(path.join(home, 'auth.mjs'), code
    .replace("'aerospike-session'", `'${local('index.mjs')}'`)
    .replace("'aerospike-session/better-auth'", `'${local('exports/better-auth.mjs')}'`))
  fs.writeFileSync(path.join(home, 'database.mjs'), `
    import { memoryAdapter } from 'better-auth/adapters/memory'
    export const database = memoryAdapter({ user: [], session: [], account: [], verification: [] })
  `)
  fs.writeFileSync(path.join(home, 'site.mjs'), `
    import http from 'node:http'
    import { toNodeHandler } from 'better-auth/node'
    import { auth } from './auth.mjs'
    const server = http.createServer(toNodeHandler(auth)).listen(0, '127.0.0.1', () => console.log('Listening on ' + server.address().port))
  `)
  const { url, stop } = await launch(path.join(home, 'site.mjs'), {
    AEROSPIKE_HOSTS: hosts(), BETTER_AUTH_URL: ORIGIN, BETTER_AUTH_SECRET: 'a secret for tests only, which everyone can read'
  })
  cleanups.push(stop)
  const browser = new Browser(url)
  expect(await browser.ask('/sign-up/email', { name: 'Ada', email: 'ada@example.com', password: PASSWORD })).toMatchObject({ status: 200 })
  expect(await browser.user()).toBe('ada@example.com')
})

describe('the storage', () => {
  /** Opens a storage on a set of its own, which is emptied after the test. */
  function storage (options = {}) {
    const set = freshSet()
    cleanups.push(() => empty(set))
    const opened = secondaryStorage({ hosts: hosts(), set, ...options })
    cleanups.push(() => opened.close())
    return Object.assign(opened, { at: set })
  }

  test('stores values with a lifetime in seconds', async () => {
    const { get, set, delete: remove } = storage()
    expect(await get('a')).toBeNull()
    await set('a', 'value', 0.3)
    await set('b', 'value', 60)
    expect(await get('b')).toBe('value')
    await pause(320)
    expect([await get('a'), await get('b')]).toEqual([null, 'value'])
    expect(await remove('b')).toBeUndefined()
    expect(await get('b')).toBeNull()
  })

  test('stores no keys: they are the tokens of sessions', async () => {
    const opened = storage()
    await opened.set('the-token', 'value', 60)
    const official = await OfficialClient.connect(hosts())
    const { bins } = await official.get('test', opened.at, 'the-token')
    await official.close()
    expect(everythingIn(bins)).not.toContain('the-token')
  })

  test('gives a value to one of several callers', async () => {
    const { set, getAndDelete, get } = storage()
    for (let n = 0; n < 20; n++) {
      await set('once', `value ${n}`, 60)
      const taken = await Promise.all(Array.from({ length: 20 }, () => getAndDelete('once')))
      expect(taken.filter(value => value !== null)).toEqual([`value ${n}`])
    }
    expect(await get('once')).toBeNull()
    await set('ended', 'x', 0.05)
    await pause(60)
    expect(await getAndDelete('ended')).toBeNull()
  })

  test('counts exactly, from several clients at once', async () => {
    const opened = storage()
    const others = Array.from({ length: 4 }, () => secondaryStorage({ hosts: hosts(), set: opened.at }))
    const counts = await Promise.all(others.flatMap(({ increment }) => Array.from({ length: 100 }, () => increment('n', 60))))
    expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, n) => n + 1))
    expect(await opened.get('n')).toBe('400')
    await Promise.all(others.map(other => other.close()))
  })

  test('a counter ends after its first lifetime, however often it is increased, and begins anew', async () => {
    const { increment } = storage()
    const began = performance.now()
    const last = []
    while (performance.now() - began < 350) last.push(await increment('n', 0.4))
    expect(last).toEqual(last.map((_, n) => n + 1))
    await pause(450)
    expect([await increment('n', 60), await increment('n', 60)]).toEqual([1, 2])
  })

  test('a value in the place of a counter makes it begin anew', async () => {
    const { increment, set, get } = storage()
    await increment('n', 60)
    await set('n', 'text', 60)
    expect(await get('n')).toBe('text')
    expect([await increment('n', 60), await increment('n', 60), await get('n')]).toEqual([1, 2, '2'])
  })

  test.each([['drop', {}], ['reset', {}], ['silent', { timeout: 1_500 }]])('an increment whose answer is lost counts once: %s', async (kind, options) => {
    const server = await start()
    const { increment } = secondaryStorage({ client: open(server, options) })
    await increment('n', 60)
    await server.inject({ kind, when: 'after', on: 'write', times: 1 })
    expect([await increment('n', 60), await increment('n', 60)]).toEqual([2, 3])
  })

  test('a value whose removal is in doubt is given to nobody, and is gone', async () => {
    const server = await start()
    const client = open(server)
    const { set, getAndDelete, get } = secondaryStorage({ client })
    await set('once', 'value', 60)
    await server.inject({ kind: 'drop', when: 'after', on: 'delete', times: 1 })
    expect(await getAndDelete('once')).toBeNull()
    expect(await get('once')).toBeNull()
  })

  test('closes a client of its own, and not a shared one', async () => {
    const client = new SessionStore({ hosts: hosts() })
    await secondaryStorage({ client }).close()
    expect(await client.has('a')).toBe(false)
    await client.close()
    const own = secondaryStorage({ hosts: hosts() })
    await own.close()
    await expect(own.get('a')).rejects.toMatchObject({ code: 'CLOSED' })
  })
})
