'use strict'

// sessionErrors(): what a visitor sees when a session cannot be loaded or stored. docs/failover.md has a test of its own, for a kept connection.

const { once } = require('node:events')
const express = require('express')
const session = require('express-session')
const { AerospikeSessionError, AerospikeStore, sessionErrors } = require('../..')
const { DevServer } = require('../../exports/dev-server')

let server, store, site, url, logged
beforeAll(async () => {
  server = await DevServer.start()
  store = new AerospikeStore({ hosts: server.hosts, timeout: 500 })
  await store.ready()
})
afterAll(async () => {
  await store.close()
  await server.stop()
})
beforeEach(() => { logged = [] })
afterEach(async () => {
  await server.clearFaults()
  site.closeAllConnections()
  site.close()
})

async function serve (routes, options = { log: (error, req) => logged.push([error.code, req.path]) }) {
  const app = express()
  app.use(session({ store, secret: 'only for tests', resave: false, saveUninitialized: false }))
  routes(app)
  app.use(sessionErrors(options))
  app.use((error, req, res, next) => res.headersSent ? next(error) : res.status(418).json({ other: error.message }))
  site = app.listen(0, '127.0.0.1')
  await once(site, 'listening')
  url = `http://127.0.0.1:${site.address().port}`
}

const visit = async (path, headers = {}) => {
  const response = await fetch(url + path, { headers })
  return { status: response.status, body: await response.json(), cookie: response.headers.get('set-cookie')?.split(';')[0] }
}
const change = (req, res, next) => {
  req.session.n = (req.session.n ?? 0) + 1
  req.session.save(error => error ? next(error) : res.json({ n: req.session.n }))
}

test('a session that cannot be stored now is a 503, one that never can is a 500', async () => {
  await serve(app => {
    app.get('/', change)
    app.get('/large', (req, res, next) => {
      req.session.large = 'x'.repeat(9 * 1_024 ** 2)
      req.session.save(error => error ? next(error) : res.json({}))
    })
  })
  const fault = await server.inject({ kind: 'overload' })
  expect(await visit('/')).toMatchObject({ status: 503, body: { code: 'OVERLOAD' } })
  await fault.remove()
  expect(await visit('/large')).toMatchObject({ status: 500, body: { code: 'TOO_BIG' } })
  expect(await visit('/')).toMatchObject({ status: 200, body: { n: 1 } })
  expect(logged).toStrictEqual([['OVERLOAD', '/'], ['TOO_BIG', '/large']])
})

test('a session that cannot be loaded is a 503, and the visitor keeps the session', async () => {
  await serve(app => app.get('/', change))
  const { cookie } = await visit('/')
  await server.inject({ kind: 'overload' })
  expect(await visit('/', { cookie })).toStrictEqual({ status: 503, body: { code: 'OVERLOAD' }, cookie: undefined })
  await server.clearFaults()
  expect(await visit('/', { cookie })).toMatchObject({ status: 200, body: { n: 2 } })
})

test('after a complete answer it only logs', async () => {
  await serve(app => app.get('/', (req, res) => {
    req.session.n = 1
    res.json({ n: 1 })
  }))
  await server.inject({ kind: 'overload' })
  expect(await visit('/')).toMatchObject({ status: 200, body: { n: 1 } })
  expect(logged).toStrictEqual([['OVERLOAD', '/']])
})

test('an answer that broke off goes to the next handler, once its session has failed', async () => {
  await serve(app => app.get('/', (req, res, next) => {
    req.session.n = 1
    res.write('{')
    req.session.save(next)
  }))
  await server.inject({ kind: 'overload' })
  await expect(visit('/')).rejects.toThrow()
  expect(logged).toStrictEqual([])
})

test.each([['an error of the application', () => new Error('mine')], ['a thrown text', () => 'mine'], ['null-like', () => ({ message: 'mine' })]])(
  '%s goes to the next handler', async (_, make) => {
    await serve(app => app.get('/', (req, res, next) => next(make())))
    expect((await visit('/')).status).toBe(418)
    expect(logged).toStrictEqual([])
  })

test('without options it writes the code and the message to the console', async () => {
  await serve(app => app.get('/', change), undefined)
  const log = jest.spyOn(console, 'error').mockImplementation(() => {})
  site.closeAllConnections()
  site.close()
  await serve(app => app.get('/', change), {})
  await server.inject({ kind: 'overload' })
  expect((await visit('/')).status).toBe(503)
  expect(log.mock.calls).toStrictEqual([['OVERLOAD', expect.any(String)]])
  log.mockRestore()
})

test('an error of another copy of the package is one of a session, too', async () => {
  const copy = Object.assign(new Error('no answer in time'), { name: 'AerospikeSessionError', code: 'TIMEOUT', retryable: true })
  expect(copy).not.toBeInstanceOf(AerospikeSessionError)
  await serve(app => app.get('/', (req, res, next) => next(copy)))
  expect(await visit('/')).toMatchObject({ status: 503, body: { code: 'TIMEOUT' } })
})
