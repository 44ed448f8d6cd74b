'use strict'

// The store express-session asks for: sessions with their cookie.
//
// express-session reads the number of parameters of some methods, and libraries read their source:
// they are plain functions with all their parameters named.

const { Administration } = require('./administration')
const { operations, optional } = require('./connection')
const { Baselines } = require('./baselines')
const { badData, badOption } = require('./errors')
const { stringify, unquoted } = require('./json')
const { kind, userFault } = require('./validate')

class AerospikeStore extends Administration {
  #baselines = new Baselines()

  /**
   * Called by express-session on what `get` returned: what was loaded goes over to the Session.
   *
   * @param {any} req
   * @param {any} session
   */
  createSession (req, session) {
    const made = super.createSession(req, session)
    this.#baselines.pass(session, made)
    return made
  }

  /**
   * @param {any} sid
   * @param {any} [callback]
   */
  get (sid, callback) {
    const decode = (/** @type {string} */ head, /** @type {any} */ json) => this.#baselines.load(sid, head, json)
    return this.connection.one(operations.load, sid, this.served(optional(callback)), decode)
  }

  /**
   * @param {any} sid
   * @param {any} session
   * @param {any} [callback]
   */
  set (sid, session, callback) {
    const done = optional(callback)
    let json, expires, owner
    try {
      // The text is taken now: what the application changes later belongs to a later set.
      json = stringify(session)
      expires = this.#expires(session, sid)
      owner = this.#owner(session)
    } catch (error) {
      return this.connection.failed(operations.set, error, done)
    }
    if (expires <= Date.now()) return this.destroy(sid, done)
    const known = this.#baselines.of(session, sid)
    const { writer, head, json: base } = known
    const written = (/** @type {string} */ head, /** @type {string | undefined} */ told) => this.#written(known, json, head, told)
    return this.connection.one(operations.set, sid, done, written, json, expires, writer, head, base, owner)
  }

  /**
   * @param {any} sid
   * @param {any} session
   * @param {any} [callback]
   */
  touch (sid, session, callback) {
    const done = this.touched(optional(callback))
    const object = typeof session === 'object' && session !== null ? session : {}
    let cookie, expires
    try {
      expires = this.#expires(session, sid)
      cookie = cookieOf(object)
    } catch (error) {
      return this.connection.failed(operations.refresh, error, done)
    }
    if (expires <= Date.now()) return this.destroy(sid, done)
    const known = this.#baselines.of(object, sid)
    const written = (/** @type {string} */ head, /** @type {string | undefined} */ json) => {
      known.head = head
      known.json = json
    }
    return this.connection.one(operations.refresh, sid, done, written, cookie, expires, known.writer, known.head, known.json)
  }

  /**
   * @param {any} sid
   * @param {any} [callback]
   */
  destroy (sid, callback) {
    return this.connection.one(operations.destroy, sid, optional(callback), JSON.parse)
  }

  /**
   * When a session written now ends, in milliseconds since 1970: a `ttl` function decides; else
   * the cookie; else the `ttl` number.
   *
   * @param {any} session
   * @param {string} sid
   * @returns {number}
   */
  #expires (session, sid) {
    const ttl = this.ttl
    if (typeof ttl === 'function') return Date.now() + lifetime(ttl, session, sid)
    const expires = session?.cookie?.expires
    // Mostly a date already, as express-session has it.
    const date = expires instanceof Date ? expires.getTime() : expires ? new Date(expires).getTime() : NaN
    return Math.ceil(Number.isNaN(date) ? Date.now() + ttl * 1_000 : date)
  }

  /**
   * The owner of a session: `''` for nobody, undefined where the store keeps no owners.
   * @param {any} session
   */
  #owner (session) {
    if (this.userOf === undefined) return undefined
    let user
    try {
      user = this.userOf(session)
    } catch (cause) {
      throw badOption("the function in option 'user' threw an error", cause)
    }
    if (user === undefined || user === null || user === '') return ''
    const text = typeof user === 'number' || typeof user === 'bigint' ? String(user) : user
    const fault = userFault(text)
    if (fault !== undefined) throw badData(fault)
    return text
  }

  /**
   * Takes note of what the core tells of a set: the head of the next baseline, or, as JSON, that and what is worth an
   * event. Nothing of it is for who waits.
   *
   * @param {import('./baselines').Known} known
   * @param {string} json what was set
   * @param {string | null} head
   * @param {string | undefined} told
   */
  #written (known, json, head, told) {
    let gone = null
    let conflict = null
    if (told !== undefined) ({ head, gone, conflict } = JSON.parse(told))
    if (head !== null) {
      known.head = head
      known.json = json
    }
    // After the callback, and outside of what calls it: a listener may throw.
    if (gone !== null) process.nextTick(() => this.emit('gone', { digest: gone }))
    if (conflict !== null) process.nextTick(() => this.emit('conflict', { digest: conflict }))
  }
}

/**
 * Milliseconds, by the application's own function of seconds.
 *
 * @param {(session: any, sid: string) => number} ttl
 * @param {any} session
 * @param {string} sid
 */
function lifetime (ttl, session, sid) {
  let seconds
  try {
    seconds = ttl(session, sid)
  } catch (cause) {
    throw badOption("the function in option 'ttl' threw an error", cause)
  }
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) {
    throw badOption(`the function in option 'ttl' must return a number of seconds, not ${kind(seconds)}`)
  }
  return Math.ceil(seconds * 1_000)
}

/**
 * The text of the session's cookie; undefined for a session without one.
 * @param {any} session
 */
function cookieOf (session) {
  const cookie = session?.cookie
  if (typeof cookie !== 'object' || cookie === null) return undefined
  try {
    const json = JSON.stringify(cookie)
    return json?.startsWith('{') ? json : undefined
  } catch (cause) {
    throw badData("the session's cookie cannot be turned into JSON", unquoted(cause))
  }
}

module.exports = { AerospikeStore }
