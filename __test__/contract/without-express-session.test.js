'use strict'

// The application has express-session, but this package cannot load it: as with Yarn Plug'n'Play and workspaces, or if the
// package is a link to a folder outside of the application.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { EventEmitter, once } = require('node:events')
const { spawn } = require('node:child_process')
const { promisify } = require('node:util')
const session = require('express-session')
const { hosts, freshSet } = require('../support/server')
const { serve, Visitor } = require('../support/http')

/** Loads the package without express-session. */
function hidden () {
  let loaded
  jest.isolateModules(() => {
    jest.doMock('express-session', () => { throw Object.assign(new Error("Cannot find module 'express-session'"), { code: 'MODULE_NOT_FOUND' }) })
    loaded = require('../..')
    jest.dontMock('express-session')
  })
  return loaded
}

const { AerospikeStore } = hidden()
const running = []

function open (options) {
  const store = new AerospikeStore({ hosts: hosts(), set: freshSet(), ...options })
  running.push(async () => {
    await store.clear()
    await store.close()
  })
  return store
}

async function site (options) {
  const store = open()
  const app = await serve(store, routes, options)
  running.unshift(app.stop)
  return { app, store, visitor: new Visitor(app.url) }
}

afterAll(async () => {
  for (const stop of running) await stop()
})

/** Pages that use everything that a session can do. */
function routes (app) {
  const done = (res, next) => error => error ? next(error) : res.json(null)
  app.get('/', (req, res) => {
    const { cookie } = req.session
    res.json({
      user: req.session.user ?? null,
      isSession: req.session instanceof session.Session && Object.getPrototypeOf(req.session) === session.Session.prototype,
      isCookie: cookie instanceof session.Cookie && Object.getPrototypeOf(cookie) === session.Cookie.prototype,
      // express-session computes it from a date, and may lose a millisecond.
      original: cookie.originalMaxAge && Math.round(cookie.originalMaxAge / 1_000),
      expires: cookie.expires instanceof Date,
      cookie: { ...cookie.toJSON(), expires: undefined, originalMaxAge: undefined },
      keys: Object.keys(cookie).sort(),
      id: req.session.id === req.sessionID,
      req: req.session.req === req
    })
  })
  app.get('/in/:name', (req, res) => { req.session.user = req.params.name; res.json(null) })
  app.get('/renew', (req, res, next) => req.session.regenerate(done(res, next)))
  app.get('/reload', (req, res, next) => { req.session.user = 'not saved'; req.session.reload(done(res, next)) })
  app.get('/out', (req, res, next) => req.session.destroy(done(res, next)))
  app.get('/remember', (req, res) => { req.session.cookie.maxAge = 3_600_000; res.json(null) })
}

test('the store is an event emitter without express-session', () => {
  expect(open()).toBeInstanceOf(EventEmitter)
  expect(open()).not.toBeInstanceOf(session.Store)
})

test.each([
  ['maxAge', { maxAge: 60_000 }],
  ['no maxAge', {}],
  ['all attributes', { maxAge: 60_000, path: '/', httpOnly: false, sameSite: 'strict', priority: 'low', partitioned: true, domain: 'example.org', secure: 'auto' }]
])('pages see the sessions and cookies of the application (%s)', async (_, cookie) => {
  const { app, visitor } = await site({ cookie })
  const theirs = await serve(new session.MemoryStore(), routes, { cookie })
  running.unshift(theirs.stop)
  const other = new Visitor(theirs.url)
  for (const page of ['/', '/in/ada', '/', '/reload', '/', '/renew', '/', '/in/grace', '/remember', '/', '/out', '/']) {
    expect([page, await visitor.get(page)]).toStrictEqual([page, await other.get(page)])
  }
  expect(app.errors).toStrictEqual([])
})

test('a process whose first request has a stored session serves it', async () => {
  const before = await site()
  await before.visitor.get('/in/ada')
  const store = open({ set: before.store.connection.view.set })
  const app = await serve(store, routes)
  running.unshift(app.stop)
  before.visitor.url = app.url
  expect((await before.visitor.get('/')).body).toMatchObject({ user: 'ada', isSession: true, isCookie: true, id: true, req: true })
})

test('the generator of ids is called once more, and not for each page', async () => {
  let made = 0
  const { visitor } = await site({ genid: () => `id-${++made}` })
  for (const page of ['/in/ada', '/', '/', '/in/grace', '/']) await visitor.get(page)
  expect(made).toBe(2)
  expect((await visitor.get('/')).body).toMatchObject({ user: 'grace', id: true })
})

test('load() returns a session of the application', async () => {
  const { store, visitor } = await site({ genid: () => 'the one', proxy: true })
  await visitor.get('/in/ada')
  const load = promisify(store.load.bind(store))
  const loaded = await load('the one')
  expect(loaded).toBeInstanceOf(session.Session)
  expect(loaded).toMatchObject({ user: 'ada', id: 'the one' })
  expect(await load('another')).toBeUndefined()
  await expect(load('')).rejects.toMatchObject({ code: 'BAD_KEY' })
})

test('requests that change different keys lose no change, and a logout is final', async () => {
  const { store, visitor } = await site({ genid: () => 'the one' })
  await visitor.get('/in/ada')
  const load = promisify(store.load.bind(store))
  const [one, two] = [await load('the one'), await load('the one')]
  one.a = 1
  two.b = 2
  await Promise.all([store.set('the one', one), store.set('the one', two)])
  expect(await store.get('the one')).toMatchObject({ user: 'ada', a: 1, b: 2 })
  await store.destroy('the one')
  await store.set('the one', Object.assign(one, { a: 3 }))
  expect(await store.get('the one')).toBeNull()
})

test('a session without a cookie is an error, as with express-session', () => {
  const store = open()
  expect(() => store.createSession({}, {})).toThrow(TypeError)
})

test('createSession() without express-session reports what is missing', () => {
  const store = open()
  expect(() => store.createSession({}, { cookie: {} })).toThrow(expect.objectContaining({ code: 'BAD_OPTION', message: expect.stringContaining('session()') }))
})

test('a package that is linked from outside of the application keeps its visitors logged in', async () => {
  const root = path.join(__dirname, '../..')
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-')))
  const link = (from, to) => fs.symlinkSync(path.join(root, from), path.join(folder, to), 'junction')
  try {
    for (const place of ['package', 'app/node_modules']) fs.mkdirSync(path.join(folder, place), { recursive: true })
    for (const file of ['index.js', 'package.json', 'lib']) fs.cpSync(path.join(root, file), path.join(folder, 'package', file), { recursive: true, filter: from => !from.endsWith('.node') })
    for (const file of fs.readdirSync(path.join(root, 'lib/binding')).filter(name => name.endsWith('.node'))) link(`lib/binding/${file}`, `package/lib/binding/${file}`)
    for (const name of ['express', 'express-session']) link(`node_modules/${name}`, `app/node_modules/${name}`)
    fs.symlinkSync(path.join(folder, 'package'), path.join(folder, 'app/node_modules/aerospike-session'), 'junction')
    fs.writeFileSync(path.join(folder, 'app/app.js'), `(${site})(${JSON.stringify({ hosts: hosts(), set: freshSet() })})`)
    const child = spawn(process.execPath, ['app.js'], { cwd: path.join(folder, 'app'), stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let errorOutput = ''
    child.stdout.on('data', data => { out += data })
    child.stderr.on('data', data => { errorOutput += data })
    const [code] = await once(child, 'close')
    expect({ code, out, errorOutput }).toStrictEqual({ code: 0, out: '[[200,1],[200,2],[200,3]]\n', errorOutput: '' })
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }

  /** The application. */
  function site (options) {
    const express = require('express')
    const session = require('express-session')
    const { AerospikeStore } = require('aerospike-session')
    const store = new AerospikeStore(options)
    const app = express()
    app.use(session({ store, secret: 'for tests', resave: false, saveUninitialized: false }))
    app.get('/', (req, res) => {
      req.session.visits = (req.session.visits ?? 0) + 1
      res.json(req.session.visits)
    })
    const server = app.listen(0, '127.0.0.1', async () => {
      const seen = []
      let cookie
      for (let n = 0; n < 3; n++) {
        const answer = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers: cookie ? { cookie } : {} })
        cookie ??= answer.headers.get('set-cookie')?.split(';')[0]
        seen.push([answer.status, await answer.json().catch(error => error.message)])
      }
      console.log(JSON.stringify(seen))
      await store.clear()
      process.exit()
    })
  }
})
