'use strict'

// What the stores of other frameworks share: each keeps an AerospikeStore, and puts its framework's words into those of
// express-session. The record is the same, so a session can be read by an application on any of them.
//
// An AerospikeStore knows by the session object what was loaded, and writes only what changed, only to a session that
// is still there. Most frameworks hand over a new object each time: their stores keep the one that was loaded, by
// whatever tells them which request it is, and fill it anew.

const { AerospikeStore } = require('./aerospike-store')
const { now } = require('../clock')
const { frameworkOptions } = require('../options/options')
const { ASYNC_DISPOSE } = require('./session-store')
const { timeOf } = require('../options/validate')

/** The name that is taken: express-session's cookie, which tells when a session ends. */
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
 * The session that was loaded or stored for what the framework has of it, its own object or the request; else an empty
 * one. Under another id than before it is a new session: lib/baselines.js knows.
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
 * Makes a session hold these data, and no others.
 *
 * @param {any} session of an AerospikeStore
 * @param {Iterable<[string, any]>} entries
 * @param {Date | null} expires null: the store's `ttl` decides
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
    // Not by an assignment: the name may be __proto__.
    Object.defineProperty(session, name, { value, enumerable: true, configurable: true, writable: true })
  }
}

/**
 * A cookie that is the same each time needs no writing.
 * @param {number} ms
 */
function wholeSeconds (ms) {
  return Math.ceil(ms / 1_000) * 1_000
}

/**
 * The data that `fill` put into a session, for frameworks that have it as it is.
 * @param {any} session
 */
function dataOf (session) {
  const entries = Object.entries(session).filter(([name]) => name !== 'cookie')
  return Object.fromEntries(entries.map(([name, value]) => [unescaped(name), value]))
}

/**
 * Data as entries for `fill`.
 * @param {object} data
 * @returns {[string, any][]}
 */
function entriesOf (data) {
  return Object.entries(data).map(([name, value]) => [escaped(name), value])
}

/**
 * The name under which a session keeps what the application calls by a name that means something else here: with a `~`
 * before it. A name that looks so already gets one more.
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
 * A point in time, if it is one.
 * @param {unknown} time
 * @returns {Date | null}
 */
function dateOf (time) {
  const ms = timeOf(time)
  return Number.isNaN(ms) ? null : new Date(ms)
}

module.exports = { FrameworkStore, dataOf, dateOf, entriesOf, escaped, fill, refill, sessionOf, unescaped }
