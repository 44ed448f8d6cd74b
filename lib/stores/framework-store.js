'use strict'

// The base of the stores for other frameworks. Each wraps an AerospikeStore and translates its framework's data to the
// format of express-session. The records are the same, so applications on different frameworks can share sessions.
//
// An AerospikeStore finds the baseline by the session object: it writes only changes, and only to sessions that still exist.
// Most frameworks pass a new object each time. So their stores keep the loaded session object for each request and fill it
// with the new data.

const { AerospikeStore } = require('./aerospike-store')
const { now } = require('../clock')
const { frameworkOptions } = require('../options/options')
const { ASYNC_DISPOSE } = require('./session-store')
const { timeOf } = require('../options/validate')

/** The reserved key: express-session's cookie, which holds the expiry of a session. */
const COOKIE = /^cookie$/

class FrameworkStore {
  #store

  /** @param {any} [options] */
  constructor (options) {
    this.#store = new AerospikeStore(frameworkOptions(options))
  }

  get store () {
    return this.#store
  }

  /** @param {any} [callback] */
  ready (callback) {
    return arguments.length > 0 ? this.#store.ready(callback) : this.#store.ready()
  }

  /** @param {any} [callback] */
  close (callback) {
    return arguments.length > 0 ? this.#store.close(callback) : this.#store.close()
  }

  [ASYNC_DISPOSE] () {
    return this.close()
  }
}

/**
 * Returns the session object that was loaded or stored for the framework's object or the request, or else a new one. If it
 * is set under another id, it is a new session (lib/baselines.js).
 *
 * @param {WeakMap<object, any>} seen
 * @param {object} holder
 */
function sessionOf (seen, holder) {
  let session = seen.get(holder)
  if (session === undefined) seen.set(holder, session = {})
  return session
}

/**
 * Replaces the data and the cookie of a session.
 *
 * @param {any} session of an AerospikeStore
 * @param {Iterable<[string, any]>} entries
 * @param {Date | null} expires null: the store's `ttl` applies
 */
function fill (session, entries, expires) {
  refill(session, entries)
  session.cookie = { originalMaxAge: expires && wholeSeconds(expires.getTime() - now()), expires }
}

/**
 * @param {any} session
 * @param {Iterable<[string, any]>} entries
 */
function refill (session, entries) {
  for (const name of Object.keys(session)) delete session[name]
  for (const [name, value] of entries) {
    // Not an assignment, because the name may be __proto__.
    Object.defineProperty(session, name, { value, enumerable: true, configurable: true, writable: true })
  }
}

/**
 * Rounds up to seconds, so that a cookie that did not change is not written again.
 * @param {number} ms
 */
function wholeSeconds (ms) {
  return Math.ceil(ms / 1_000) * 1_000
}

/**
 * Returns the data that `fill` put into a session.
 * @param {any} session
 */
function dataOf (session) {
  const entries = Object.entries(session).filter(([name]) => name !== 'cookie')
  return Object.fromEntries(entries.map(([name, value]) => [unescaped(name), value]))
}

/**
 * Returns data as entries for `fill`.
 * @param {object} data
 * @returns {[string, any][]}
 */
function entriesOf (data) {
  return Object.entries(data).map(([name, value]) => [escaped(name), value])
}

/**
 * Escapes a key that has a reserved name with a `~` in front. A key that already looks escaped gets one more `~`.
 *
 * @param {string} name
 * @param {RegExp} [reserved]
 */
function escaped (name, reserved = COOKIE) {
  return reserved.test(bare(name)) ? `~${name}` : name
}

/**
 * @param {string} name
 * @param {RegExp} [reserved]
 */
function unescaped (name, reserved = COOKIE) {
  return name.startsWith('~') && reserved.test(bare(name)) ? name.slice(1) : name
}

/** @param {string} name */
function bare (name) {
  return name.replace(/^~+/, '')
}

/**
 * Returns a point in time as a Date, or null if it is not valid.
 * @param {unknown} time
 * @returns {Date | null}
 */
function dateOf (time) {
  const ms = timeOf(time)
  return Number.isNaN(ms) ? null : new Date(ms)
}

module.exports = { FrameworkStore, dataOf, dateOf, entriesOf, escaped, fill, refill, sessionOf, unescaped }
