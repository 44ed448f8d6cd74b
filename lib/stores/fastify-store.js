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
 * @typedef {{ sid: string, grace: number, isNext: boolean, outcome: string }} Renewing
 */

class FastifyStore extends AerospikeStore {
  /** @type {WeakMap<Mark, Loaded>} */
  #loaded = new WeakMap()
  /** The renewal whose calls to `destroy` and `set` come next. @type {Renewing | undefined} */
  #renewing

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
    const renewing = this.#renewing
    if (renewing?.isNext) {
      this.#renewing = undefined
      this.#renew(renewing, sid, session, callback)
      return undefined
    }
    const stored = this.#unmarked(sid, session)
    return arguments.length > 2 ? super.set(sid, stored, callback) : super.set(sid, stored)
  }

  /**
   * @param {any} sid
   * @param {any} [callback]
   */
  destroy (sid, callback) {
    const renewing = this.#renewing
    if (renewing !== undefined && renewing.sid === sid && !renewing.isNext) {
      renewing.isNext = true
      return callback(null)
    }
    return arguments.length > 1 ? super.destroy(sid, callback) : super.destroy(sid)
  }

  /**
   * Returns the baseline of a request's session, if it is stored.
   * @param {any} session of Fastify
   */
  baselineOf (session) {
    const loaded = this.#loaded.get(session?.[MARK])
    if (loaded === undefined || loaded.sid !== session.sessionId) return undefined
    return this.baselines.peek(loaded.session, loaded.sid)
  }

  /**
   * Renews the session of a request. Fastify makes sessions with a new id only in `regenerate`, which removes the old session and
   * sets the new one: both in one turn, and through this store. Here both become a renewal.
   *
   * @param {any} request
   * @param {number} grace milliseconds
   * @returns {Promise<boolean>} whether the request has a new id now
   */
  async renewSession (request, grace) {
    const { session } = request
    if (this.baselineOf(session) === undefined) return false
    /** @type {Renewing} */
    const renewing = { sid: session.sessionId, grace, isNext: false, outcome: 'failed' }
    try {
      this.#renewing = renewing
      const regenerated = session.regenerate(Object.keys(session).filter(name => name !== 'cookie'))
      this.#renewing = undefined
      await regenerated
    } finally {
      this.#renewing = undefined
      // Fastify gives the request the new session, whatever has become of it.
      if (renewing.outcome !== 'done') request.session = session
    }
    return renewing.outcome === 'done'
  }

  /**
   * @param {Renewing} renewing
   * @param {string} id the new one
   * @param {any} copy
   * @param {any} callback
   */
  #renew (renewing, id, copy, callback) {
    const { sid, grace } = renewing
    const { session } = /** @type {Loaded} */ (this.#loaded.get(copy[MARK]))
    this.#refill(session, copy)
    this.renewTo(sid, id, session, grace, (/** @type {any} */ error, /** @type {any} */ answer) => {
      if (!error) {
        renewing.outcome = answer.outcome
        if (answer.loaded !== undefined) copy[MARK] = this.#mark(id, answer.loaded)[MARK]
      }
      callback(error)
    })
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
   * Replaces the data of a loaded session with that of Fastify's copy.
   *
   * @param {any} session
   * @param {any} copy
   */
  #refill (session, copy) {
    refill(session, Object.entries(copy).filter(([name]) => name !== MARK))
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
    this.#refill(loaded.session, copy)
    return loaded.session
  }
}

module.exports = { FastifyStore }
