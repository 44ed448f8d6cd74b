'use strict'

// The store for @fastify/session. Fastify copies each session into its own object, which has no baseline. It copies every
// key, so each loaded session gets a key, the mark, that leads back to the loaded session and its baseline.

const { AerospikeStore } = require('./aerospike-store')
const { hide } = require('../baselines')
const { optional, quiet } = require('../connection')
const { refill } = require('./framework-store')
const { frameworkOptions } = require('../options/options')

/** The key of the mark. */
const MARK = '@aerospike-session'
/** Properties of Fastify's session object. Fastify skips keys of these names, or they replace the property and the request fails. */
const PROPERTIES = new Set([
  '__proto__', 'constructor', 'destroy', 'encryptedSessionId', 'get', 'isModified', 'isSaved', 'options', 'regenerate', 'reload', 'save', 'sessionId', 'set', 'touch'
])

/** The value of the mark, which identifies the loaded session. Copies keep it, JSON omits it, and clones lose it. */
class Mark {
  toJSON () {
    return undefined
  }
}

/**
 * @typedef {{ sid: string, session: any }} Loaded
 */

class FastifyStore extends AerospikeStore {
  /** @type {WeakMap<Mark, Loaded>} */
  #loaded = new WeakMap()

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
    const mark = (/** @type {any} */ session) => this.#mark(sid, session)
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
    const stored = this.#unmarked(sid, session)
    return arguments.length > 2 ? super.set(sid, stored, callback) : super.set(sid, stored)
  }

  /**
   * @param {string} sid
   * @param {any} session
   */
  #mark (sid, session) {
    if (session === null) return null
    hide(session, name => PROPERTIES.has(name))
    const mark = new Mark()
    session[MARK] = mark
    this.#loaded.set(mark, { sid, session })
    return session
  }

  /**
   * Returns the loaded session, filled with the data of Fastify's copy. A copy under another id is a new session.
   *
   * @param {any} sid
   * @param {any} copy
   */
  #unmarked (sid, copy) {
    const mark = copy?.[MARK]
    // In a clone the mark is a plain object.
    if (mark !== undefined && !(mark instanceof Mark)) Reflect.deleteProperty(copy, MARK)
    const loaded = this.#loaded.get(mark)
    if (loaded === undefined || loaded.sid !== sid) return copy
    refill(loaded.session, Object.entries(copy).filter(([name]) => name !== MARK))
    return loaded.session
  }
}

module.exports = { FastifyStore }
