'use strict'

// A session may be shared with programs that do not use the framework. Keys that the framework's session object cannot show,
// because it has properties of these names, are kept when a request changes another key, and never make a request fail.

const { once } = require('node:events')
const express = require('express')
const session = require('express-session')
const Koa = require('koa')
const { createSession } = require('koa-session')
const { AerospikeStore } = require('../..')
const { KoaStore } = require('../../exports/koa')
const { forkSite } = require('../support/fork-site')
const { freshSet, hosts, openSessions } = require('../support/server')

/** Every name with a meaning in JavaScript or in a framework's session object. */
const NAMES = [
  'id', 'req', 'save', 'touch', 'reload', 'regenerate', 'destroy', 'resetMaxAge', 'toString', 'constructor', 'hasOwnProperty', 'valueOf',
  '__proto__', 'toJSON', 'inspect', 'get', 'set', 'options', 'isModified', 'isSaved', 'sessionId', 'encryptedSessionId', '_private',
  '_requireSave', 'isNew', 'length', 'populated', 'maxAge', 'externalKey', 'manuallyCommit', 'commit', 'then', 'sessionID', 'sessionStore'
]
const STRANGERS = () => JSON.parse(`{${NAMES.map((name, n) => `${JSON.stringify(name)}:{"n":${n}}`).join()}}`)

const FORMATS = [['a map', {}], ['JSON', { format: 'json' }], ['encrypted', { encryptionKeys: [Buffer.alloc(32, 7)] }], ['a map, overwritten', { conflict: 'overwrite' }]]
const ID = 'S'.repeat(32)

const closing = []
afterAll(async () => { for (const close of closing) await close() })

async function listening (server) {
  if (!server.listening) await once(server, 'listening')
  closing.push(() => new Promise(resolve => {
    server.closeAllConnections()
    server.close(resolve)
  }))
  return `http://127.0.0.1:${server.address().port}`
}

/** Sites with a page that stores the number of the visit. */
const sites = {
  async express (options) {
    const app = express()
    app.use(session({ store: new AerospikeStore(options), genid: () => ID, secret: 'only for tests', resave: false, saveUninitialized: false }))
    app.get('/put', (req, res) => {
      req.session.visits = req.query.value
      res.end()
    })
    return { url: await listening(app.listen(0, '127.0.0.1')), idOf: () => ID }
  },
  async koa (options) {
    const app = new Koa()
    app.keys = ['only for tests']
    app.use(createSession({ store: new KoaStore(options), genid: () => ID }, app))
    app.use(context => {
      context.session.visits = context.query.value
      context.body = ''
    })
    return { url: await listening(app.listen(0, '127.0.0.1')), idOf: () => ID }
  },
  async fastify (options) {
    const { url } = await forkSite('fastify-site.js', { options, plugin: {}, isMade: true })
    return { url, idOf: cookie => decodeURIComponent(/sid=([^;]+)/.exec(cookie)[1]).split('.')[0] }
  }
}

describe.each(Object.keys(sites))('a page of %s', framework => {
  test.each(FORMATS)('keeps hidden keys: %s', async (_, options) => {
    const all = { hosts: hosts(), set: freshSet(), ...options }
    const { conflict, ...recipe } = all
    const client = openSessions(recipe)
    const { url, idOf } = await sites[framework](all)
    let cookie = ''
    const visit = async number => {
      const answer = await fetch(`${url}/put?key=visits&value=${number}`, { headers: { cookie } })
      if (cookie === '') cookie = answer.headers.getSetCookie().map(line => line.split(';')[0]).join('; ')
      return answer.status
    }
    expect(await visit(1)).toBe(200)
    const id = idOf(cookie)
    const stored = await client.get(id)
    await client.save(id, Object.defineProperties(STRANGERS(), Object.getOwnPropertyDescriptors(stored)))
    for (const number of [2, 3]) expect(await visit(number)).toBe(200)
    const after = await client.get(id)
    expect(after.visits).toBe('3')
    for (const [name, value] of Object.entries(STRANGERS())) {
      expect([name, Object.getOwnPropertyDescriptor(after, name)?.value]).toStrictEqual([name, value])
    }
  })
})
