'use strict'

// The store for koa-session, which passes the request's context, and for koa-generic-session, which passes back the object
// that it got.

const { hide } = require('../baselines')
const { now } = require('../clock')
const { FrameworkStore, dataOf, entriesOf, fill, sessionOf } = require('./framework-store')
const { isPlain } = require('../json')
const { LAST_TIME } = require('../options/validate')
const { leaveOut } = require('../outdated-cookies')

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
  /** The old ids of requests that are given a new one right now. @type {WeakMap<object, string>} */
  #renewed = new WeakMap()

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
    const data = this.#show(session, context)
    // A request with an old id must not set the cookie with the old id again.
    if (context !== undefined && this.store.baselines.peek(session, key)?.isAliased()) this.leaveOut(context, key)
    return data
  }

  /**
   * Returns the data of a loaded session for Koa.
   *
   * @param {any} session
   * @param {object | undefined} context
   */
  #show (session, context) {
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
    // koa-session removes the old id although the session has a new one.
    if (context !== undefined && this.#renewed.get(context) === key) return
    if (context !== undefined) this.#seen.delete(context)
    await this.store.destroy(key)
  }

  /**
   * Returns the baseline of a request's session, if it is stored.
   * @param {any} context
   */
  baselineOf (context) {
    const session = this.#seen.get(context)
    return session && this.store.baselines.peek(session, context.session?.externalKey)
  }

  /**
   * Keeps the cookie with a session id out of a response.
   *
   * @param {any} context
   * @param {string} key the session id
   * @param {() => boolean} [isOutdated] called when the header is set
   */
  leaveOut (context, key, isOutdated) {
    const { res, sessionOptions: { key: name, externalKey } } = context
    // The application keeps the id somewhere else.
    if (externalKey !== undefined) return
    const has = (/** @type {string} */ cookie) => cookie.startsWith(`${name}=${key};`) || cookie === `${name}=${key}`
    leaveOut(res, key, isOutdated, (cookie, all) => has(cookie) || (cookie.startsWith(`${name}.sig=`) && all.some(has)))
  }

  /**
   * Renews the session of a request. koa-session gives a session another id only in `regenerate`, which takes the id from `genid`,
   * removes the old session and sets the new one, with its cookie. By then the session has been renewed.
   *
   * @param {any} context
   * @param {number} grace milliseconds
   * @returns {Promise<boolean>} whether the request has a new id now
   */
  async renewSession (context, grace) {
    if (this.baselineOf(context) === undefined) return false
    const { session, sessionOptions } = context
    const { genid } = sessionOptions
    const [old, id] = [session.externalKey, genid(context)]
    const loaded = this.#seen.get(context)
    /** @type {any} */
    const answer = await new Promise((resolve, reject) => {
      this.store.renewTo(old, id, loaded, grace, (/** @type {any} */ error, /** @type {any} */ answer) => error ? reject(error) : resolve(answer))
    })
    // The application may have replaced or removed the session meanwhile.
    const isOwn = context.session === session && this.#seen.get(context) === loaded
    if (answer.loaded === undefined || !isOwn) {
      this.leaveOut(context, old, () => answer.outcome !== 'missing')
      return false
    }
    this.#show(answer.loaded, context)
    try {
      this.#renewed.set(context, old)
      sessionOptions.genid = () => id
      await session.regenerate()
      // The session object shows the old id for ever.
      context.session = { ...session.toJSON(), _expire: session._expire }
    } finally {
      this.#renewed.delete(context)
      sessionOptions.genid = genid
    }
    return true
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
