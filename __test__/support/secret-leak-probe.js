'use strict'

// Does everything that a store can do, successfully and with errors, with secrets that are easy to recognise. Sends its parent
// everything that was reported: errors, warnings, events, inspected objects. The parent reads its output as well.

const dc = require('node:diagnostics_channel')
const net = require('node:net')
const util = require('node:util')
const { once } = require('node:events')
const { AerospikeStore, SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const operations = require('../../lib/operations')

const [SECRET] = process.argv.slice(2)
const secret = what => `${SECRET}-${what}`
const SID = secret('sid')

/** The error codes, the traced operations and all reports. */
const codes = new Set()
const followed = new Set()
const allReports = []

/** Returns everything of an error that can be printed. */
function report (error) {
  if (error?.code) codes.add(error.code)
  allReports.push(util.inspect(error, { showHidden: true, depth: Infinity }), String(error), error?.stack ?? '', json(error))
  for (let cause = error?.cause; cause; cause = cause.cause) allReports.push(String(cause), cause.stack ?? '', json(cause))
}

function json (value) {
  try {
    return JSON.stringify(value, Object.getOwnPropertyNames(Object(value))) ?? ''
  } catch {
    return ''
  }
}

function show (...objects) {
  for (const object of objects) allReports.push(util.inspect(object, { showHidden: true, depth: Infinity, getters: true }), json(object), String(object))
}

/** Subscribes to all channels of operations. */
function follow () {
  for (const name of new Set(Object.values(operations).map(({ name }) => name))) {
    const listener = event => message => {
      followed.add(`${name} ${event}`)
      show(event, message)
    }
    const events = ['start', 'end', 'asyncStart', 'asyncEnd', 'error']
    dc.tracingChannel(`aerospike-session:${name}`).subscribe(Object.fromEntries(events.map(event => [event, listener(event)])))
  }
}

async function tries (work) {
  try {
    await work()
  } catch (error) {
    report(error)
  }
}

/** Calls every method of the two stores, whatever the result. */
async function ask (sessions, store) {
  const data = { [secret('key')]: secret('value'), token: [secret('token')], owner: secret('owner') }
  const session = { cookie: { originalMaxAge: 60_000, path: `/${secret('path')}` }, ...data }
  const callback = work => new Promise(resolve => work(error => { if (error) report(error); resolve() }))
  await Promise.all([
    () => sessions.save(SID, data), () => sessions.get(SID), () => sessions.touch(SID), () => sessions.has(SID),
    () => store.set(SID, session), () => store.get(SID), () => store.touch(SID, session),
    () => store.set(SID, { ...session, more: secret('more') }),
    () => callback(done => store.get(SID, done)), () => callback(done => sessions.save(SID, data, done)),
    () => store.all(), () => store.ids(), () => store.length(), () => store.prune(), () => store.createUserIndex(),
    () => store.sessionsOf(secret('owner')), () => store.countOf(secret('owner')), () => store.destroyOf(secret('owner'), { except: SID }),
    () => store.destroyByDigest(store.digestOf(SID), { of: secret('owner') }), () => store.destroyByDigest(SID, { of: secret('owner') }),
    async () => { for await (const one of store.sessions()) show(one.expires) }
  ].map(tries))
  // A set of a removed session, and one of a session that another writer has changed.
  await tries(async () => {
    await store.set(SID, session)
    const [one, two] = [await store.get(SID), await store.get(SID)]
    if (one === null) return
    one.changed = secret('one')
    two.other = secret('two')
    await store.set(SID, one)
    await store.set(SID, two)
    await store.destroy(SID)
    await store.set(SID, Object.assign(one, { late: secret('late') }))
  })
  await tries(() => sessions.delete(SID))
  await tries(() => store.destroy(SID))
  await tries(() => store.clear())
  show(sessions, store, store.client)
}

function open (options, more = {}) {
  const sessions = new SessionStore({ timeout: 1_000, ...options })
  const store = new AerospikeStore({ client: sessions, storeIds: true, user: 'owner', maxSessionsPerUser: 1, prefix: secret('prefix'), ...more })
  for (const emitter of [sessions, store]) {
    for (const event of ['up', 'down', 'gone', 'conflict', 'evicted', 'warning']) emitter.on(event, (...args) => show([event, ...args]))
  }
  return { sessions, store }
}

async function close ({ sessions, store }) {
  await Promise.all([sessions.close(), store.close()])
  await ask(sessions, store)
}

async function serve (options, work) {
  const server = await DevServer.start(options)
  await work(server)
  await server.stop()
}

async function refused () {
  const cycle = { [secret('key')]: {} }
  cycle[secret('key')][secret('inner')] = cycle
  const { sessions, store } = open({ hosts: '127.0.0.1:9' })
  const bad = [
    () => sessions.save(SID, cycle), () => sessions.save(SID, { [secret('key')]: 1n }), () => store.set(SID, cycle),
    () => store.touch(SID, { cookie: cycle }), () => sessions.save(SID, secret('text')), () => sessions.get(`${SID}\ud800`),
    () => sessions.get(SID.repeat(10_000)), () => sessions.get(Number(SECRET.replace(/\D/g, ''))), () => sessions.get([SID]),
    () => sessions.get(SID, secret('callback')), () => sessions.save(SID, {}, { ttl: secret('ttl') }), () => sessions.save(SID, {}, secret('options')),
    () => store.sessionsOf(`${secret('owner')}\ud800`), () => store.destroyOf(secret('owner'), { except: `${SID}\ud800` }),
    async () => store.digestOf(`${SID}\ud800`), () => store.destroyByDigest('0'.repeat(40), { of: `${secret('owner')}\ud800` }),
    () => sessions.save(SID, { big: secret('big').repeat(5_000_000) })
  ]
  const options = [
    { user: secret('login') }, { password: secret('password') }, { user: secret('login'), password: { [secret('password')]: 1 } },
    { user: secret('login'), password: Number(SECRET.replace(/\D/g, '')) }, { auth: secret('password') }, { auth: { user: 'a', password: [secret('password')] } },
    { user: secret('login'), password: secret('password').repeat(100) }, { hosts: [`${secret('user')}:${secret('password')}@host:3000`] },
    { tls: secret('key') }, { tls: { key: secret('key'), cert: secret('cert') } }, { tls: { ca: secret('ca') } },
    { tls: { key: `-----BEGIN PRIVATE KEY-----\n${secret('key')}\n-----END PRIVATE KEY-----`, cert: secret('cert') } },
    { prefix: [secret('prefix')] }, { prefix: `${secret('prefix')}\ud800` }, { namespace: secret('namespace ') }, { format: secret('format') }, { ttl: secret('ttl') }
  ]
  await Promise.all(bad.map(tries))
  for (const one of options) {
    await tries(() => new SessionStore(one))
    await tries(() => new AerospikeStore(one))
  }
  await tries(() => new AerospikeStore({ hosts: '127.0.0.1:9', user: () => { throw new Error('theirs') } }).set(SID, { cookie: {}, [secret('key')]: 1 }))
  await tries(() => new AerospikeStore({ hosts: '127.0.0.1:9', ttl: () => secret('ttl') }).set(SID, { cookie: {} }))
  await tries(() => DevServer.start({ security: { users: { [secret('login')]: { password: [secret('password')] } } } }))
  await ask(sessions, store)
  await close({ sessions, store })
}

async function main () {
  process.on('warning', show)
  follow()
  await refused()
  await serve({}, async server => {
    for (const options of [{}, { format: 'json' }, { namespace: 'nottl' }, { namespace: 'absent' }, { absoluteTtl: 5 }, { maxPending: 3 }]) {
      const opened = open({ hosts: server.hosts, ...options })
      await ask(opened.sessions, opened.store)
      await close(opened)
    }
    // Every result code that a server may return.
    const { sessions, store } = open({ hosts: server.hosts, timeout: 60 })
    for (let code = 1; code < 256; code++) {
      await server.inject({ kind: 'code', code })
      await Promise.all([
        () => sessions.save(SID, { a: secret('value') }), () => store.get(SID), () => store.length(), () => store.destroy(SID)
      ].map(tries))
      await server.clearFaults()
    }
    for (const kind of ['drop', 'reset', 'silent']) {
      await server.inject({ kind, when: 'midReply' })
      await ask(sessions, store)
      await server.clearFaults()
    }
    await server.freeze()
    await ask(sessions, store)
    await server.thaw()
    await close({ sessions, store })
  })
  await serve({ memory: '1m' }, async server => {
    const opened = open({ hosts: server.hosts })
    for (let n = 0; n < 20; n++) await tries(() => opened.sessions.save(`${SID}${n}`, { big: secret('big').repeat(5_000) }))
    await tries(() => opened.sessions.save(SID, { big: secret('big').repeat(100_000) }))
    await ask(opened.sessions, opened.store)
    await close(opened)
  })
  const login = { user: secret('login'), password: secret('password') }
  await serve({ security: { users: { [login.user]: { password: login.password, roles: ['read'] } } } }, async server => {
    const logins = [{ auth: login }, { auth: { ...login, password: secret('wrong') } }, { auth: { user: secret('nobody'), password: secret('password') } }, {}]
    for (const auth of logins) {
      const opened = open({ hosts: server.hosts, ...auth, timeout: 2_000 })
      await tries(() => opened.sessions.ready())
      await ask(opened.sessions, opened.store)
      await close(opened)
    }
    show(server)
  })
  await serve({ tls: { mutual: true } }, async server => {
    const { ca, cert, key } = server.tls
    for (const tls of [{ ca, cert, key }, { ca }, true]) {
      const opened = open({ hosts: server.hosts, tls })
      await tries(() => opened.sessions.ready())
      show(opened.sessions, opened.store)
      await close(opened)
    }
    process.send({ key })
  })
  // A program other than a server, which echoes what it receives.
  const echo = net.createServer(socket => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  const opened = open({ hosts: `127.0.0.1:${echo.address().port}`, auth: login })
  await tries(() => opened.sessions.ready())
  await ask(opened.sessions, opened.store)
  await close(opened)
  echo.close()
  process.send({ allReports, codes: [...codes], followed: [...followed] }, () => process.disconnect())
}

main()
