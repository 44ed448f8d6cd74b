'use strict'

// The store for @fastify/session. An AerospikeStore serves it as well, but Fastify copies each session into an object of
// its own, and then nothing tells what it was loaded as. It copies functions too, and JSON leaves them out: one goes
// with each session that is loaded.

const { AerospikeStore } = require('./aerospike-store')
const { optional, quiet } = require('./connection')
const { refill } = require('./framework-store')
const { frameworkOptions } = require('./options')

/** The key of that function. */
const MARK = '@aerospike-session'

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
    if (done === undefined) return quiet(super.get(sid)?.then(mark), arguments.length > 1)
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
    if (loaded !== undefined) refill(loaded, Object.entries(session))
    const stored = loaded ?? session
    return arguments.length > 2 ? super.set(sid, stored, callback) : super.set(sid, stored)
  }

  /** @param {any} session */
  #mark (session) {
    if (session === null) return null
    const mark = () => {}
    session[MARK] = mark
    this.#seen.set(mark, session)
    return session
  }
}

module.exports = { FastifyStore }
