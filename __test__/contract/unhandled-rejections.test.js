'use strict'

// Calls that are not awaited. express-session passes on the callback of `req.session.destroy()` even if there is none, and
// ignores the returned promise.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { AerospikeStore, SessionStore } = require('../..')
const { FastifyStore } = require('../../exports/fastify')
const { KoaStore } = require('../../exports/koa')
const { cleanups, open, start } = require('../support/opened')
const { serve, Visitor } = require('../support/http')

/** Runs a function in its own process, so that an unhandled rejection ends that process. */
async function run (program, ...args) {
  const source = `(${program})(require, ${args.map(arg => JSON.stringify(arg)).join()})`
  const child = spawn(process.execPath, ['-e', source], { cwd: __dirname, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let errorOutput = ''
  child.stdout.on('data', data => { out += data })
  child.stderr.on('data', data => { errorOutput += data })
  const [code] = await once(child, 'close')
  return { code, out, errorOutput }
}

/** Every method with a callback, called with `undefined` as the callback as express-session does. */
const EXPRESS = [
  ['get', 'a'], ['set', 'a', { cookie: {} }], ['touch', 'a', { cookie: {} }], ['destroy', 'a'], ['regenerate', { sessionID: 'a' }],
  ['set', 'a', { cookie: { expires: new Date(0) } }], ['touch', 'a', { cookie: { expires: new Date(0) } }],
  ['get', ''], ['set', '', { cookie: {} }], ['touch', '', { cookie: {} }], ['destroy', ''], ['set', 'a', 'no object'],
  ['all'], ['ids'], ['length'], ['clear'], ['createUserIndex'], ['sessionsOf', 'ada', {}], ['countOf', 'ada'], ['destroyOf', 'ada', {}],
  ['sessionsOf', 'ada', { limit: 0 }], ['destroyOf', 'ada', { except: '' }], ['destroyByDigest', '0'.repeat(40), { of: 'ada' }],
  ['destroyByDigest', '', { of: 'ada' }], ['destroyByDigest', '0'.repeat(40), {}], ['ready'], ['close']
]
const SESSIONS = [['save', 'a', {}, {}], ['get', 'a'], ['touch', 'a', {}], ['delete', 'a'], ['has', 'a'], ['save', 'a', 'no object', {}], ['get', ''], ['ready'], ['close']]
const OTHERS = [['ready'], ['close']]

/** @type {[string, string, string, any[][]][]} */
const STORES = [
  ['AerospikeStore', '../..', 'AerospikeStore', EXPRESS],
  ['FastifyStore', '../../exports/fastify', 'FastifyStore', EXPRESS],
  ['SessionStore', '../..', 'SessionStore', SESSIONS],
  ['KoaStore', '../../exports/koa', 'KoaStore', OTHERS],
  ['HonoStore', '../../exports/hono', 'HonoStore', OTHERS],
  ['ReactRouterStore', '../../exports/react-router', 'ReactRouterStore', OTHERS]
]

/** Calls each method of a store, which fails, and prints the results. */
async function callAll (require, hosts, place, name, calls) {
  const { [name]: Store } = require(place)
  for (const isClosed of [false, true]) {
    const store = new Store({ hosts, timeout: 300, connectTimeout: 300 })
    store.generate = () => {}
    await store.ready().catch(() => {})
    if (isClosed) await store.close()
    for (const nothing of [undefined, null]) {
      for (const [method, ...args] of calls) {
        for (const { cookie } of args) if (cookie?.expires) cookie.expires = new Date(cookie.expires)
        store[method](...args, nothing)
      }
    }
  }
  setTimeout(() => {
    console.log('alive')
    process.exit()
  }, 1_000)
}

/** Starts a server that answers with errors only. */
async function failing () {
  const server = await start()
  await server.inject({ kind: 'code', code: 9 })
  return server
}

test.each(STORES)('no failed call of %s with undefined or null as the callback ends the process', async (_, place, name, calls) => {
  const server = await failing()
  expect(await run(callAll, server.hosts, place, name, calls)).toStrictEqual({ code: 0, out: 'alive\n', errorOutput: '' })
})

test('a call without a callback argument rejects, and the process reports it', async () => {
  const { hosts } = await start()
  const program = (require, hosts, method, ...args) => {
    const { AerospikeStore } = require('../..')
    new AerospikeStore({ hosts })[method](...args)
  }
  for (const call of [['get', ''], ['set', '', { cookie: {} }], ['touch', '', { cookie: {} }], ['destroy', ''], ['ids']]) {
    const { code, errorOutput } = await run(program, hosts, ...call)
    expect([call, code, errorOutput]).toStrictEqual([call, 1, expect.stringContaining('AerospikeSessionError')])
  }
})

test.each([['undefined', undefined], ['null', null]])('an awaited call with %s as the callback still gets the error', async (_, nothing) => {
  const server = await failing()
  for (const [Store, calls] of [[AerospikeStore, EXPRESS], [FastifyStore, EXPRESS], [SessionStore, SESSIONS]]) {
    const store = open(server, {}, Store)
    await store.close()
    for (const [method, ...args] of calls.filter(([method]) => !['close', 'regenerate'].includes(method))) {
      const answer = store[method](...args, nothing)
      await expect(Promise.resolve(answer)).rejects.toMatchObject({ name: 'AerospikeSessionError' })
    }
  }
  const koa = open(server, {}, KoaStore)
  await koa.close()
  await expect(koa.ready(nothing)).rejects.toMatchObject({ code: 'CLOSED' })
})

/** An Express site in the process of `run`, with a page that destroys its session without awaiting it, while the server fails. */
async function logOutCarelessly (require, failure) {
  const express = require('express')
  const session = require('express-session')
  const { AerospikeStore } = require('../..')
  const { DevServer } = require('../../exports/dev-server')
  const server = await DevServer.start()
  const store = new AerospikeStore({ hosts: server.hosts, timeout: 300 })
  const app = express()
  app.use(session({ store, secret: 'for tests', resave: false, saveUninitialized: false }))
  app.get('/in', (req, res) => { req.session.user = 1; res.send('in') })
  app.get('/out', async (req, res) => {
    if (failure === 'frozen') await server.freeze()
    if (failure === 'closed') await store.close()
    if (failure === 'code') await server.inject({ kind: 'code', code: 9, on: 'delete' })
    if (failure === 'regenerate') await server.inject({ kind: 'code', code: 9, on: 'delete' })
    if (failure === 'regenerate') req.session.regenerate()
    else req.session.destroy()
    res.send('out')
  })
  const listening = app.listen(0, '127.0.0.1', async () => {
    const url = `http://127.0.0.1:${listening.address().port}`
    const answer = await fetch(`${url}/in`)
    const cookie = answer.headers.get('set-cookie').split(';')[0]
    const { status } = await fetch(`${url}/out`, { headers: { cookie } })
    setTimeout(() => {
      console.log(status)
      process.exit()
    }, 1_000)
  })
}

test.each(['code', 'frozen', 'closed', 'regenerate'])('an Express app survives a failed logout that is not awaited (%s)', async failure => {
  expect(await run(logOutCarelessly, failure)).toStrictEqual({ code: 0, out: '200\n', errorOutput: '' })
})

describe('a store that calls super with another id', () => {
  /** Keeps the sessions of each tenant separate, as an application may. */
  const tenantOf = Store => class extends Store {
    get (sid, callback) { return super.get(`tenant:${sid}`, callback) }
    set (sid, session, callback) { return super.set(`tenant:${sid}`, session, callback) }
    touch (sid, session, callback) { return super.touch(`tenant:${sid}`, session, callback) }
    destroy (sid, callback) { return super.destroy(`tenant:${sid}`, callback) }
  }

  test.each([['AerospikeStore', AerospikeStore], ['FastifyStore', FastifyStore]])('%s: a set or touch of an expired session removes it', async (_, Store) => {
    const store = open(await start(), {}, tenantOf(Store))
    for (const method of ['set', 'touch']) {
      await store.set('a', { cookie: {}, user: 'ada' })
      await store[method]('a', { cookie: { expires: new Date(0) }, user: 'ada' })
      expect([method, await store.get('a')]).toStrictEqual([method, null])
      expect([method, await store.length()]).toStrictEqual([method, 0])
    }
  })

  test('an expired session is logged out over HTTP', async () => {
    const store = open(await start(), {}, tenantOf(AerospikeStore))
    const app = await serve(store, app => {
      app.get('/in', (req, res) => { req.session.user = 'ada'; res.json(null) })
      app.get('/end', (req, res) => { req.session.user = 'nobody'; req.session.cookie.maxAge = req.session.cookie.originalMaxAge = -1; res.json(null) })
      app.get('/new', (req, res, next) => req.session.regenerate(error => { if (error) return next(error); req.session.user = 'new'; res.json(null) }))
      app.get('/', (req, res) => res.json(req.session.user ?? null))
    })
    cleanups.push(app.stop)
    const visitor = new Visitor(app.url)
    await visitor.get('/in')
    expect((await visitor.get('/')).body).toBe('ada')
    await visitor.get('/end')
    expect(await store.length()).toBe(0)
    await visitor.get('/new')
    expect((await visitor.get('/')).body).toBe('new')
    expect(app.errors).toStrictEqual([])
  })

  test.each([['AerospikeStore', AerospikeStore, EXPRESS], ['FastifyStore', FastifyStore, EXPRESS], ['SessionStore', SessionStore, SESSIONS]])(
    'no method of %s calls another one by its public name', async (_, Store, calls) => {
      const made = []
      class Counted extends Store {}
      for (let one = Store.prototype; one.on === undefined || !Object.hasOwn(one, 'on'); one = Object.getPrototypeOf(one)) {
        for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(one))) {
          if (typeof value !== 'function' || name === 'constructor') continue
          Counted.prototype[name] = function (...args) {
            made.push(name)
            return value.apply(this, args)
          }
        }
      }
      const store = open(await start(), {}, Counted)
      store.generate = () => {}
      // `regenerate` passes the application's id to `destroy`, as express-session's own does.
      for (const [method, ...args] of calls.filter(([method]) => method !== 'regenerate')) {
        made.length = 0
        await Promise.resolve(store[method](...args)).catch(() => {})
        // get and set of FastifyStore extend those of AerospikeStore.
        expect([...new Set(made)]).toStrictEqual([method])
      }
    })
})
