'use strict'

// A store in front of two others, which moves live sessions from the old store to an AerospikeStore. It looks in the new store first,
// moves what it finds only in the old one, and writes to the new one alone. Nobody is logged out, and no logout is undone.

const { nextTick, now } = require('../clock')
const { badOption } = require('../errors')
const { kind, names } = require('../options/validate')
const { AerospikeStore } = require('../stores/aerospike-store')
const { optionsWithPrefix } = require('../stores/base-store')
const { RENEWED_BY, Store } = require('../stores/express-store')

/** For how long a logout is remembered, in milliseconds: far longer than one request takes. */
const REMEMBERED = 600_000

class MigratingStore extends Store {
  /** The sessions that were logged out a while ago: a move in progress has to know. */
  #gone
  /** The moves in progress, by session id. @type {Map<string, Promise<void>>} */
  #moves = new Map()

  /** @param {any} options */
  constructor (options) {
    super()
    names(options ?? {}, ['from', 'to', 'at'])
    const { from, to, at } = options ?? {}
    for (const method of ['get', 'set', 'destroy']) {
      if (typeof from?.[method] !== 'function') throw badOption("option 'from' must be a store of express-session: the old one")
    }
    if (!(to instanceof AerospikeStore)) throw badOption(`option 'to' must be an AerospikeStore, not ${kind(to)}`)
    if (!(at instanceof Date) || Number.isNaN(at.getTime())) throw badOption("option 'at' must be a Date: when all processes turn to the new store")
    this.from = from
    this.to = to
    this.at = at
    this.#gone = new AerospikeStore(/** @type {any} */ (optionsWithPrefix(to, 'gone:')))
    for (const event of ['connect', 'disconnect']) to.on(event, () => this.emit(event))
    // express-session gives its store the function that makes sessions. The new store has its own way to call it.
    /** @type {any} */
    const maker = to
    Object.defineProperty(this, 'generate', {
      configurable: true,
      enumerable: true,
      get: () => maker.generate,
      set: generate => { maker.generate = generate }
    })
  }

  /** Whether `at` has come. */
  get isMigrating () {
    return now() >= this.at.getTime()
  }

  /** Only the new store can renew session ids. */
  [RENEWED_BY] () {
    return this.isMigrating ? this.to : undefined
  }

  /**
   * What a request has loaded is what its changes are compared with.
   *
   * @param {any} req
   * @param {any} session
   */
  createSession (req, session) {
    return this.to.createSession(req, session)
  }

  /**
   * @param {string} sid
   * @param {any} [callback]
   */
  get (sid, callback) {
    return answer(this.isMigrating ? this.#find(sid) : ask(this.from, 'get', sid), callback)
  }

  /**
   * @param {string} sid
   * @param {any} session
   * @param {any} [callback]
   */
  set (sid, session, callback) {
    return answer(this.isMigrating ? this.#write(sid, session) : ask(this.from, 'set', sid, session), callback)
  }

  /**
   * @param {string} sid
   * @param {any} session
   * @param {any} [callback]
   */
  touch (sid, session, callback) {
    const store = this.isMigrating ? this.to : this.from
    // A store of express-session need not have `touch`.
    return answer(typeof store.touch === 'function' ? ask(store, 'touch', sid, session) : Promise.resolve(), callback)
  }

  /**
   * @param {string} sid
   * @param {any} [callback]
   */
  destroy (sid, callback) {
    return answer(this.isMigrating ? this.#end(sid) : ask(this.from, 'destroy', sid), callback)
  }

  /** @param {string} sid */
  async #find (sid) {
    return await this.to.get(sid) ?? await this.#moved(sid)
  }

  /**
   * @param {string} sid
   * @param {any} session
   */
  async #write (sid, session) {
    await this.to.set(sid, session)
    // What was loaded from the old store just before `at` is new to the other one: it may have been logged out since.
    const isTurning = now() < this.at.getTime() + REMEMBERED
    if (isTurning && await this.#gone.get(sid) !== null) await this.to.destroy(sid)
    await ask(this.from, 'destroy', sid)
  }

  /** @param {string} sid */
  async #end (sid) {
    await this.#gone.set(sid, /** @type {any} */ ({ cookie: { originalMaxAge: REMEMBERED, expires: new Date(now() + REMEMBERED) } }))
    await this.to.destroy(sid)
    await ask(this.from, 'destroy', sid)
  }

  /**
   * Moves a session. Parallel requests of this process share a move.
   * @param {string} sid
   */
  async #moved (sid) {
    const move = this.#moves.get(sid) ?? this.#move(sid).finally(() => this.#moves.delete(sid))
    this.#moves.set(sid, move)
    await move
    return this.to.get(sid)
  }

  /** @param {string} sid */
  async #move (sid) {
    const session = await ask(this.from, 'get', sid)
    // Not there: another process may just have moved it.
    if (!session || await this.to.get(sid) !== null) return
    const { cookie } = session
    // connect-redis leaves the cookie as it was at the last change, however often the session was touched.
    if (cookie?.originalMaxAge) cookie.expires = new Date(now() + cookie.originalMaxAge)
    await this.to.set(sid, session)
    if (await this.#gone.get(sid) !== null) await this.to.destroy(sid)
    else await ask(this.from, 'destroy', sid)
  }
}

/**
 * Calls a method of any store of express-session.
 *
 * @param {any} store
 * @param {string} method
 * @param {any[]} args
 * @returns {Promise<any>}
 */
function ask (store, method, ...args) {
  return new Promise((resolve, reject) => {
    store[method](...args, (/** @type {any} */ error, /** @type {any} */ value) => {
      // express-session takes this code for "no such session".
      if (error && error.code !== 'ENOENT') reject(error)
      else resolve(value)
    })
  })
}

/**
 * @param {Promise<any>} promise
 * @param {((error: any, value?: any) => void) | undefined} callback
 */
function answer (promise, callback) {
  if (typeof callback !== 'function') {
    // express-session drops the promise of a destroy without a callback.
    promise.catch(() => {})
    return promise
  }
  promise.then(value => nextTick(callback, null, value), error => nextTick(callback, error))
}

module.exports = { MigratingStore }
