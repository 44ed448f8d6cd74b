'use strict'

// The store for koa-session, which passes the request's context, and for koa-generic-session, which passes back the object
// that it got.

const { hide } = require('../baselines')
const { now } = require('../clock')
const { FrameworkStore, dataOf, entriesOf, fill, sessionOf } = require('./framework-store')
const { isPlain } = require('../json')
const { LAST_TIME } = require('../options/validate')

/** Properties of Koa's session object. A key of such a name would replace the property, and the request would fail. */
const PROPERTIES = new Set([
  '__proto__', 'commit', 'constructor', 'externalKey', 'inspect', 'isNew', 'length', 'manuallyCommit', 'maxAge', 'populated', 'regenerate', 'reload', 'save', 'toJSON'
])
/** Keys that Koa itself adds to a session. */
const KOAS_OWN = new Set(['_expire', '_maxAge', '_session'])
/** Returns true for keys that Koa does not store. @param {string} name */
const isPrivate = name => name.startsWith('_') && !KOAS_OWN.has(name)

class KoaStore extends FrameworkStore {
  /** Loaded sessions, by context or by the framework's session object. @type {WeakMap<object, any>} */
  #seen = new WeakMap()

  /**
   * @param {string} key
   * @param {unknown} [_maxAge]
   * @param {{ ctx?: any }} [options]
   */
  async get (key, _maxAge, options) {
    const session = await this.store.get(key)
    if (session === null) return null
    const context = contextOf(options)
    // Only koa-session needs this: koa-generic-session passes the application's object unchanged.
    if (context !== undefined) hide(session, name => PROPERTIES.has(name))
    const data = dataOf(session)
    if (context !== undefined) hide(session, isPrivate)
    this.#seen.set(context ?? data, session)
    return data
  }

  /**
   * @param {string} key
   * @param {any} data
   * @param {unknown} [maxAge] milliseconds, `'session'` or nothing
   * @param {{ ctx?: any }} [options]
   */
  async set (key, data, maxAge, options) {
    // The store rejects it with BAD_DATA.
    if (!isPlain(data)) return this.store.set(key, data)
    const session = sessionOf(this.#seen, contextOf(options) ?? data)
    fill(session, entriesOf(data), expiryOf(maxAge))
    await this.store.set(key, session)
  }

  /**
   * @param {string} key
   * @param {{ ctx?: any }} [options]
   */
  async destroy (key, options) {
    // If the same request stores a session afterwards, it is a new one.
    const context = contextOf(options)
    if (context !== undefined) this.#seen.delete(context)
    await this.store.destroy(key)
  }
}

/**
 * @param {any} options
 * @returns {object | undefined} the request's context
 */
function contextOf (options) {
  const context = options?.ctx
  return typeof context === 'object' && context !== null ? context : undefined
}

/**
 * @param {unknown} maxAge milliseconds; 0 means no maximum age, as in cookies
 * @returns {Date | null}
 */
function expiryOf (maxAge) {
  const isGiven = typeof maxAge === 'number' && Number.isFinite(maxAge) && maxAge !== 0
  return isGiven ? new Date(Math.max(0, Math.min(now() + maxAge, LAST_TIME))) : null
}

module.exports = { KoaStore }
