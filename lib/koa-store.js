'use strict'

// The store for koa-session, which passes the request's context, and for koa-generic-session, which gives back the object
// that it got.

const { hide } = require('./baselines')
const { FrameworkStore, dataOf, entriesOf, fill, sessionOf } = require('./framework-store')

/** Properties of Koa's session object. A key of such a name would take their place, and end the request with an error. */
const PROPERTIES = new Set([
  '__proto__', 'commit', 'constructor', 'externalKey', 'inspect', 'isNew', 'length', 'manuallyCommit', 'maxAge', 'populated', 'regenerate', 'reload', 'save', 'toJSON'
])
/** What Koa itself puts into a session. */
const KOAS_OWN = new Set(['_expire', '_maxAge', '_session'])
/** Koa stores no key that begins so. @param {string} name */
const isPrivate = name => name.startsWith('_') && !KOAS_OWN.has(name)

class KoaStore extends FrameworkStore {
  /** By context, or by the framework's session object. @type {WeakMap<object, any>} */
  #seen = new WeakMap()

  /**
   * @param {string} key
   * @param {unknown} [_maxAge]
   * @param {{ ctx?: any }} [options]
   */
  async get (key, _maxAge, options) {
    const session = await this.store.get(key)
    if (session === null) return null
    hide(session, name => PROPERTIES.has(name))
    const data = dataOf(session)
    hide(session, isPrivate)
    this.#seen.set(options?.ctx ?? data, session)
    return data
  }

  /**
   * @param {string} key
   * @param {any} data
   * @param {unknown} [maxAge] milliseconds, `'session'` or nothing
   * @param {{ ctx?: any }} [options]
   */
  async set (key, data, maxAge, options) {
    const session = sessionOf(this.#seen, options?.ctx ?? data)
    fill(session, entriesOf(data), endOf(maxAge))
    await this.store.set(key, session)
  }

  /**
   * @param {string} key
   * @param {{ ctx?: any }} [options]
   */
  async destroy (key, options) {
    // What the same request stores afterwards is a new session.
    if (options?.ctx !== undefined) this.#seen.delete(options.ctx)
    await this.store.destroy(key)
  }
}

/**
 * @param {unknown} maxAge 0, as cookies have it, is none
 * @returns {Date | null}
 */
function endOf (maxAge) {
  return typeof maxAge === 'number' && Number.isFinite(maxAge) && maxAge !== 0 ? new Date(Date.now() + maxAge) : null
}

module.exports = { KoaStore }
