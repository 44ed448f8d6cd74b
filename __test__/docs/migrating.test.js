'use strict'

// Carries out docs/migrating.md: the site before and after, and the migration of its live sessions. The code is from the page.

const fs = require('node:fs')
const path = require('node:path')
const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const session = require('express-session')
const { MigratingStore } = require('../../exports/migrate')
const { startRedis } = require('../../bench/servers')
const { cookie } = require('../support/cookie')
const { Visitor, serve } = require('../support/http')
const { ROOT, folderFor } = require('../support/pages')
const { freshSet, hosts, openStore } = require('../support/server')

const PAGE = 'docs/migrating.md'
openStore({ set: 'shop' }) // removes the sessions of after.js
const hasRedis = spawnSync('redis-server', ['--version']).status === 0
const folder = folderFor(PAGE)
afterAll(() => fs.rmSync(folder, { recursive: true }))

const withRedis = hasRedis ? describe : describe.skip
withRedis(`with redis-server${hasRedis ? '' : ' (there is none on this machine)'}`, () => {
  let redis
  beforeAll(async () => { redis = await startRedis() })
  afterAll(() => redis.stop())

  /** Runs a file of the page as a site in its own process. Stops it as a deployment would. */
  async function site (file, env) {
    const child = spawn(process.execPath, ['--require', path.join(ROOT, '__test__/support/any-port.js'), file], {
      cwd: folder, env: { ...process.env, PORT: '0', SESSION_SECRET: 'only for tests', ...env }, stdio: ['ignore', 'ignore', 'pipe', 'ipc']
    })
    let errorOutput = ''
    child.stderr.on('data', data => { errorOutput += data })
    const exit = once(child, 'exit')
    const [port] = await Promise.race([once(child, 'message'), exit.then(() => { throw new Error(errorOutput) })])
    const stop = async () => {
      child.kill('SIGTERM')
      const [code] = await exit
      return { code, errorOutput }
    }
    return { url: `http://127.0.0.1:${port}`, stop }
  }

  /** Checks what a visitor sees of the site, which is the same before and after. */
  async function visit (url) {
    const visitor = new Visitor(url)
    const seen = []
    seen.push(await visitor.post('/login/ada'), await visitor.get('/cart/tea'), await visitor.get('/cart/jam'))
    seen.push(await visitor.post('/logout'), await visitor.get('/cart/tea'))
    return seen.map(({ status, body }) => [status, body])
  }

  const EXPECTED = [
    [200, { user: 'ada' }],
    [200, { user: 'ada', cart: ['tea'] }],
    [200, { user: 'ada', cart: ['tea', 'jam'] }],
    [200, {}],
    [200, { user: null, cart: ['tea'] }]
  ]

  test.each(['before.js', 'after.js'])('the site %s serves its visitors, and exits on a signal', async file => {
    const { url, stop } = await site(file, { REDIS_URL: redis.url, AEROSPIKE_HOSTS: hosts() })
    expect(await visit(url)).toStrictEqual(EXPECTED)
    expect(await stop()).toStrictEqual({ code: 0, errorOutput: '' })
  })

  test("a session that was only touched for longer than its cookie's lifetime is migrated anyway", async () => {
    const { createClient } = require('redis')
    const { RedisStore } = require('connect-redis')
    const client = await createClient({ url: redis.url }).connect()
    try {
      const from = new RedisStore({ client, prefix: freshSet() })
      const { store, to } = moving({ from })
      const stale = { cookie: JSON.parse(JSON.stringify(cookie(600_000))), user: 'ada' }
      stale.cookie.expires = new Date(Date.now() - 60_000).toISOString()
      await client.set(`${from.prefix}id`, JSON.stringify(stale), { expiration: { type: 'EX', value: 600 } })
      const found = await call(store, 'get', 'id')
      expect(found).toMatchObject({ user: 'ada' })
      expect(new Date(found.cookie.expires).getTime()).toBeGreaterThan(Date.now() + 500_000)
      expect(await to.get('id')).toMatchObject({ user: 'ada' })
      expect(await from.get('id')).toBeNull()
    } finally {
      await client.close()
    }
  })
})

/** Calls a method with a callback. Returns a promise. */
const call = (store, method, ...args) => new Promise((resolve, reject) => {
  store[method](...args, (error, value) => error ? reject(error) : resolve(value))
})

/** An old store whose answers can be delayed. */
class HeldStore extends session.MemoryStore {
  #held
  asked = 0

  /** Delays the answer of the next `get`. Resolves, when it is done, with a function that releases the answer. */
  hold () {
    return new Promise(resolve => { this.#held = resolve })
  }

  get (sid, callback) {
    this.asked++
    const held = this.#held
    this.#held = undefined
    super.get(sid, held === undefined ? callback : (...answer) => held(() => callback(...answer)))
  }
}

/** Opens the store of the page, which migrates from an old store to a new one. */
function moving ({ from = new HeldStore(), at = new Date(0) } = {}) {
  const set = freshSet()
  const to = openStore({ set })
  openStore({ set, prefix: 'gone:' }) // removes the records of the migration
  return { from, to, store: new MigratingStore({ from, to, at }) }
}

function routes (app) {
  app.get('/set', (req, res) => {
    Object.assign(req.session, req.query)
    res.json(null)
  })
  app.get('/get', (req, res) => {
    const { cookie, ...data } = req.session
    res.json(data)
  })
  app.get('/logout', (req, res, next) => req.session.destroy(error => error ? next(error) : res.json(null)))
  const slow = []
  app.get('/slow', (req, res) => {
    slow.push(() => {
      req.session.slow = true
      res.json(null)
    })
    if (slow.began !== undefined) slow.began()
  })
  return slow
}

describe('during the migration', () => {
  let slow, site
  const open = async one => { site = await serve(one.store, app => { slow = routes(app) }, { cookie: { maxAge: 600_000 } }) }
  afterEach(() => site.stop())

  /** Returns a visitor with a session, and another tab of the same browser. */
  async function visitor () {
    const visitor = new Visitor(site.url)
    await visitor.get('/set?user=ada')
    const tab = new Visitor(site.url)
    tab.cookies = visitor.cookies
    return { visitor, tab, sid: () => decodeURIComponent(visitor.cookies.get('connect.sid').value).slice(2).split('.')[0] }
  }

  test('visitors stay logged in, and migrated sessions are removed from the old store', async () => {
    const one = moving({ at: new Date(Date.now() + 3_600_000) })
    await open(one)
    const { visitor: ada, sid } = await visitor()
    expect(await one.to.length()).toBe(0)
    one.store.at = new Date(0)
    expect((await ada.get('/get')).body).toStrictEqual({ user: 'ada' })
    expect(await one.to.get(sid())).toMatchObject({ user: 'ada' })
    expect(await call(one.from, 'get', sid())).toBeUndefined()
    await ada.get('/set?more=1')
    expect((await ada.get('/get')).body).toStrictEqual({ user: 'ada', more: '1' })
    await ada.get('/logout')
    expect((await ada.get('/get')).body).toStrictEqual({})
    expect(await one.to.length()).toBe(0)
  })

  test('requests during the migration of their session lose no change', async () => {
    const one = moving({ at: new Date(Date.now() + 3_600_000) })
    await open(one)
    const { visitor: ada } = await visitor()
    one.store.at = new Date(0)
    const { get } = one.to
    let missed = 0
    // All three have looked in the new store before the old one answers.
    const allWait = new Promise(resolve => {
      one.to.get = async sid => {
        const found = await get.call(one.to, sid)
        if (++missed === 3) setImmediate(resolve)
        return found
      }
    })
    one.from.asked = 0
    const held = one.from.hold()
    const requests = ['/set?a=1', '/set?b=2', '/set?c=3'].map(path => ada.get(path))
    const [release] = await Promise.all([held, allWait])
    release()
    await Promise.all(requests)
    expect(one.from.asked).toBe(1)
    expect((await ada.get('/get')).body).toStrictEqual({ user: 'ada', a: '1', b: '2', c: '3' })
  })

  test('a logout during the migration of its session is final', async () => {
    const one = moving({ at: new Date(Date.now() + 3_600_000) })
    await open(one)
    const { visitor: ada, tab, sid } = await visitor()
    one.store.at = new Date(0)
    const held = one.from.hold()
    const reading = tab.get('/get')
    const release = await held
    // Another process logs out.
    await call(new MigratingStore({ from: one.from, to: one.to, at: new Date(0) }), 'destroy', sid())
    release()
    expect((await reading).body).toStrictEqual({})
    expect((await ada.get('/get')).body).toStrictEqual({})
    expect(await one.to.length()).toBe(0)
  })

  test('a request that started before the migration does not undo a later logout', async () => {
    const one = moving({ at: new Date(Date.now() + 3_600_000) })
    await open(one)
    const { visitor: ada, tab } = await visitor()
    const began = new Promise(resolve => { slow.began = resolve })
    const writing = tab.get('/slow')
    await began
    one.store.at = new Date(Date.now() - 1)
    await ada.get('/logout')
    slow[0]()
    expect((await writing).status).toBe(200)
    expect((await ada.get('/get')).body).toStrictEqual({})
    expect(await one.to.length()).toBe(0)
  })
})
