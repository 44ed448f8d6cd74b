'use strict'

// The base class of stores for express-session. express-session's Store is used if this package can load it. It may not:
// Yarn Plug'n'Play or linked packages can hide the application's copy, and Koa and Fastify users need not install it. Then
// the base class is EventEmitter, and the classes of sessions and cookies are taken from a session that the application's
// copy of express-session creates.

const { EventEmitter } = require('node:events')
const { badOption } = require('../errors')
const { inNoContext } = require('../bridge/no-context')

/** A method of stores in front of an AerospikeStore. It returns the store that renews the ids of their sessions, if there is one now. */
const RENEWED_BY = Symbol('the store that renews session ids')

/**
 * @typedef {(req: any) => void} Generate creates a new `req.session`; express-session sets it on each store
 * @typedef {{ new (): import('node:events').EventEmitter, prototype: any }} Base
 * @typedef {{ Session: new (req: any, session: any) => any, cookie: object }} Classes `cookie` is the prototype of cookies
 */

/**
 * @returns {Base}
 */
function baseClass () {
  try {
    return /** @type {any} */ (require('express-session').Store)
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error)
    if (code !== 'MODULE_NOT_FOUND') throw error
    return EventEmitter
  }
}

/**
 * The classes of each copy of express-session.
 * @type {WeakMap<Generate, Classes>}
 */
const known = new WeakMap()

// Loading express-session can open the standard streams, which must not belong to a context.
const Base = inNoContext(baseClass)

class Store extends Base {
  /**
   * Gives a request a new session with a new id. Unlike in express-session, the callback is optional.
   *
   * @param {any} req
   * @param {any} [fn]
   */
  regenerate (req, fn) {
    /** @type {any} */ (this).destroy(req.sessionID, (/** @type {any} */ error) => {
      /** @type {any} */ (this).generate(req)
      fn?.(error)
    })
  }

  /**
   * @param {any} sid
   * @param {any} fn
   */
  load (sid, fn) {
    /** @type {any} */ (this).get(sid, (/** @type {any} */ error, /** @type {any} */ session) => {
      if (error) return fn(error)
      if (!session) return fn()
      fn(null, this.createSession({ sessionID: sid, sessionStore: this }, session))
    })
  }

  /**
   * Creates the session of a request from stored data.
   *
   * @param {any} req
   * @param {any} session
   */
  createSession (req, session) {
    if (Base.prototype.createSession !== undefined) return Base.prototype.createSession.call(this, req, session)
    const { expires, originalMaxAge } = session.cookie
    const { Session, cookie } = classesOf(/** @type {any} */ (this).generate, req)
    session.cookie = cookieLike(cookie, session.cookie)
    if (typeof expires === 'string') session.cookie.expires = new Date(expires)
    session.cookie.originalMaxAge = originalMaxAge
    req.session = new Session(req, session)
    return req.session
  }
}

/**
 * @param {Generate | undefined} generate
 * @param {any} req
 * @returns {Classes}
 */
function classesOf (generate, req) {
  if (generate === undefined) {
    throw badOption("createSession() needs the classes of the application's express-session: pass the store to session() first")
  }
  let classes = known.get(generate)
  if (classes === undefined) {
    // The new object inherits from the request, so that the request itself does not change.
    const like = Object.create(req)
    like.headers ??= {}
    generate(like)
    classes = { Session: like.session.constructor, cookie: Object.getPrototypeOf(like.session.cookie) }
    known.set(generate, classes)
  }
  return classes
}

/**
 * Creates a cookie as the constructor of express-session's Cookie does. The constructor itself is out of reach.
 *
 * @param {object} prototype
 * @param {any} options
 */
function cookieLike (prototype, options) {
  const cookie = Object.assign(Object.create(prototype), { path: '/', maxAge: null, httpOnly: true })
  for (const [name, value] of Object.entries(options)) {
    // `data` has no setter, and `__proto__` would replace the class.
    if (name !== 'data' && name !== '__proto__') cookie[name] = value
  }
  cookie.originalMaxAge ??= cookie.maxAge
  return cookie
}

module.exports = { RENEWED_BY, Store }
