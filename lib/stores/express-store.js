'use strict'

// The class that express-session wants its stores to extend. express-session may be out of reach of this package though
// the application has it (Yarn Plug'n'Play, linked packages), or not installed at all (Koa and Fastify users). Then an
// event emitter takes its place, and the classes of sessions and cookies are found in a session that the
// application's own copy makes.

const { EventEmitter } = require('node:events')
const { badOption } = require('../errors')
const { inNoContext } = require('../bridge/no-context')

/**
 * @typedef {(req: any) => void} Generate makes `req.session`, which is new; express-session gives it to each store
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
 * The classes of the application's copies of express-session.
 * @type {WeakMap<Generate, Classes>}
 */
const known = new WeakMap()

// Loading it can open the process's standard streams.
const Base = inNoContext(baseClass)

class Store extends Base {
  /**
   * Gives a request a new session with a new id. Unlike express-session's, it may be called without a callback.
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
   * Makes what was stored the session of a request.
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
    // As if it were the request's, but without changing the request.
    const like = Object.create(req)
    like.headers ??= {}
    generate(like)
    classes = { Session: like.session.constructor, cookie: Object.getPrototypeOf(like.session.cookie) }
    known.set(generate, classes)
  }
  return classes
}

/**
 * A cookie as express-session's constructor makes it, which cannot be reached from its prototype.
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

module.exports = { Store }
