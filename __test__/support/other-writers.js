'use strict'

// Other programs that write the site's sessions, for the model-based test. Run as a program, this file is one of them.

const crypto = require('node:crypto')
const { fork } = require('node:child_process')
const { once } = require('node:events')
const { copy } = require('./model')

const failed = ({ code, inDoubt = false, message }) => ({ code, inDoubt, message })

/** Runs a call and records its result as an event of the model. */
async function outcome (event, call) {
  event.t0 = Date.now()
  try {
    const answer = call()
    event.called = Date.now()
    const seen = await answer
    if (event.what === 'read') event.seen = seen ? copy(seen) : null
  } catch (error) {
    event.error = failed(error)
  }
  event.t1 = Date.now()
  return event
}

/**
 * Reads a session, changes a key, and writes it: the object itself if `how` is 'edit', or a copy without a baseline if it is 'copy'.
 * 'list' and 'listCopy' find the session with `all()`, by its key `who`. Returns events. The write's `base` is the event of the read, or null.
 */
async function change (store, { sid, who, key, value, how, storesIds }) {
  const found = { what: 'read' }
  let session = null
  await outcome(found, async () => {
    if (how.startsWith('list')) {
      session = (await store.all()).find(one => one.who === who) ?? null
      const { id, ...shown } = session ?? {}
      return session && (storesIds ? shown : session)
    }
    return (session = await store.get(sid))
  })
  if (session === null) return [found]
  const isCopy = how.endsWith('opy')
  if (isCopy) {
    session = copy(session)
    if (storesIds && how.startsWith('list')) delete session.id
  }
  session[key] = value
  const now = copy(session)
  if (!isCopy && storesIds && how.startsWith('list')) delete now.id
  const expires = session.cookie.expires
  const written = { what: 'write', touch: false, isCopy, now, expires }
  return [found, await outcome(written, () => store.set(sid, session))]
}

/** Another process with its own store. */
class OtherProcess {
  #waiting = new Map()
  #calls = 0

  static async start (options) {
    const otherProcess = new OtherProcess()
    otherProcess.child = fork(__filename, [], { serialization: 'advanced', execArgv: [] })
    otherProcess.child.on('message', ({ call, events }) => {
      otherProcess.#waiting.get(call)(events)
      otherProcess.#waiting.delete(call)
    })
    await otherProcess.#ask('open', options)
    return otherProcess
  }

  #ask (what, details) {
    return new Promise(resolve => {
      const call = this.#calls++
      this.#waiting.set(call, resolve)
      this.child.send({ call, what, details })
    })
  }

  /** Like `change` above. @returns {Promise<any[]>} */
  change (details) { return this.#ask('change', details) }
  destroy (sid) { return this.#ask('destroy', { sid }) }
  /** Returns the events `gone` so far, by digest. */
  gone () { return this.#ask('gone', {}) }
  /** Returns the events `evicted` so far, by digest. */
  evicted () { return this.#ask('evicted', {}) }

  async close () {
    const exit = once(this.child, 'exit')
    this.child.disconnect()
    await exit
  }
}

/** Runs in the other process. */
function serve () {
  const { AerospikeStore } = require('../..')
  const [gone, evicted] = [[], []]
  let store
  const DO = {
    async open ({ user, ...options }) {
      store = new AerospikeStore({ ...options, ...(user && { user: OWNERS[user] }) })
      store.on('gone', ({ digest }) => gone.push(digest))
      store.on('evicted', ({ digest }) => evicted.push(digest))
      store.on('warning', () => {})
      await store.ready()
    },
    change: details => change(store, details),
    destroy: async ({ sid }) => [await outcome({ what: 'destroy' }, () => store.destroy(sid))],
    gone: () => gone,
    evicted: () => evicted
  }
  process.on('message', async ({ call, what, details }) => process.send({ call, events: await DO[what](details) }))
  process.on('disconnect', () => store.close())
}

/** Returns the owner of a session, in every process. */
const ownerOf = session => JSON.stringify(session.a)
/** The same, for the sessions of users who log in. */
const loginOf = session => session.login
const OWNERS = { ownerOf, loginOf }

/** Returns the key of a session, as documented in docs/options.md and docs/security.md. */
function keyOf ({ prefix = '', hashIds }, sid) {
  if (hashIds === undefined) return prefix + sid
  const hmac = (key, ...parts) => parts.reduce((hash, part) => hash.update(part), crypto.createHmac('sha256', key)).digest()
  const length = Buffer.alloc(8)
  length.writeBigUInt64BE(BigInt(Buffer.byteLength(prefix)))
  return hmac(hmac(hashIds, 'aerospike-session 2 ids'), length, prefix, sid).toString('hex')
}

if (require.main === module) serve()

module.exports = { OtherProcess, change, failed, keyOf, loginOf, outcome, ownerOf }
