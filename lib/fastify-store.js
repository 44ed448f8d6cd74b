'use strict'

// The store for @fastify/session. An AerospikeStore serves it as well, but Fastify copies each session into an object of
// its own, and then nothing tells what it was loaded as. It copies functions too, and JSON leaves them out: one goes
// with each session that is loaded.

const { AerospikeStore } = require('./aerospike-store')
const { hide } = require('./baselines')
const { optional } = require('./connection')
const { refill } = require('./framework-store')
const { frameworkOptions } = require('./options')

/** The key of that function. */
const MARK = '@aerospike-session'
/** Properties of Fastify's session object. A key of such a name is not taken over, or takes their place and ends the request. */
const PROPERTIES = new Set([
  '__proto__', 'constructor', 'destroy', 'encryptedSessionId', 'get', 'isModified', 'isSaved', 'options', 'regenerate', 'reload', 'save', 'sessionId', 'set', 'touch'
])

class FastifyStore extends AerospikeStore {
  /** By the function that goes with it. @type {WeakMap<object, any>} */
  #seen = new WeakMap()

  /** @param {any} [options] */
  constructor (options) {
    super(frameworkOptions(options))
  }

  /**
   * @param {any} sid
   * @param {any} [callback]
   */
  get (sid, callback) {
    const done = optional(callback)
    const mark = (/** @type {any} */ session) => this.#mark(session)
    if (done === undefined) return super.get(sid, undefined)?.then(mark)
    return super.get(sid, (/** @type {any} */ error, /** @type {any} */ session) => {
      if (error) done(error)
      else done(null, mark(session))
    })
  }

  /**
   * @param {any} sid
   * @param {any} session
   * @param {any} [callback]
   */
  set (sid, session, callback) {
    const loaded = this.#seen.get(session?.[MARK])
    if (loaded === undefined) return super.set(sid, session, callback)
    refill(loaded, Object.entries(session))
    return super.set(sid, loaded, callback)
  }

  /** @param {any} session */
  #mark (session) {
    if (session === null) return null
    hide(session, name => PROPERTIES.has(name))
    const mark = () => {}
    session[MARK] = mark
    this.#seen.set(mark, session)
    return session
  }
}

module.exports = { FastifyStore }
