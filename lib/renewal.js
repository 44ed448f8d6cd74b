'use strict'

// The renewal of session ids for express-session: the session gets a new id, and the old one leads to it for a while
// (src/store/renew_ops.rs).

const { nextTick, now } = require('./clock')
const { optional } = require('./connection')
const { badOption } = require('./errors')
const { leaveOut } = require('./outdated-cookies')
const { renewOptions, renewalOptions } = require('./options/renewal')
const { AerospikeStore } = require('./stores/aerospike-store')
const { RENEWED_BY } = require('./stores/express-store')
const { emitWarning } = require('./warnings')

/**
 * @typedef {(error: any, renewed?: boolean) => void} Done
 */

/**
 * @param {any} req
 * @param {any} [options]
 * @param {any} [callback]
 */
function renew (req, options, callback) {
  if (typeof options === 'function') [options, callback] = [undefined, options]
  const done = optional(callback)
  const start = (/** @type {Done} */ done) => {
    let grace, store
    try {
      ({ grace } = renewOptions(options))
      store = storeOf(req)
    } catch (error) {
      return nextTick(done, error)
    }
    if (store === undefined) return nextTick(done, null, false)
    renewSession(req, store, grace, done)
  }
  if (done !== undefined) return start(done)
  return new Promise((resolve, reject) => start((error, renewed) => error ? reject(error) : resolve(renewed)))
}

/** @param {any} [options] */
function renewal (options) {
  const { every, grace } = renewalOptions(options)
  /**
   * @param {any} req
   * @param {any} res
   * @param {(error?: any) => void} next
   */
  return function renewal (req, res, next) {
    // express-session leaves out requests of other paths, and all requests while `whenDown: 'anonymous'` serves them.
    if (!req.session) return next()
    let store
    try {
      store = storeOf(req)
    } catch (error) {
      return next(error)
    }
    const { session, sessionID: sid } = req
    const known = store?.baselines.peek(session, sid)
    if (known?.head === undefined) return next()
    const isDue = () => known.isDue(every, now())
    // If the session has become due, another request may have renewed it in the meantime.
    leaveOut(res, sid, () => known.isAliased() || isDue())
    if (known.isAliased() || !isDue()) return next()
    renewSession(req, store, grace, error => {
      if (error) emitWarning(store, { code: 'RENEWAL_FAILED', message: `the id of a session was not renewed: ${error.message}` })
      next()
    })
  }
}

/**
 * Renews the id of a request's session.
 *
 * @param {any} req
 * @param {any} store
 * @param {number} grace milliseconds
 * @param {Done} done
 */
function renewSession (req, store, grace, done) {
  const { session, sessionID: sid } = req
  // A session under another id than the request's was loaded by something else.
  if (!session || store.baselines.peek(session, sid) === undefined) return nextTick(done, null, false)
  let id
  try {
    id = newId(store, req)
    // express-session does this at the end of the request, which then need not be written again.
    session.touch()
  } catch (error) {
    return nextTick(done, error)
  }
  store.renewTo(sid, id, session, grace, (/** @type {any} */ error, /** @type {any} */ answer) => {
    if (error) return done(error)
    const { outcome, loaded } = answer
    if (outcome === 'lost' && req.res) leaveOut(req.res, sid)
    // The application may have destroyed or regenerated the session meanwhile.
    if (loaded === undefined || req.session !== session) return done(null, false)
    takeOver(req, store, id, loaded)
    done(null, true)
  })
}

/**
 * Gives a request the session under its new id, with what the application has made of it until now.
 *
 * @param {any} req
 * @param {any} store
 * @param {string} id
 * @param {any} loaded
 */
function takeOver (req, store, id, loaded) {
  const { session } = req
  req.sessionID = id
  const renewed = store.createSession(req, loaded)
  for (const name of Object.keys(renewed)) {
    if (!Object.hasOwn(session, name)) delete renewed[name]
  }
  // The same values, because the application may hold some of them.
  for (const name of Object.keys(session)) renewed[name] = session[name]
}

/**
 * Returns a new session id from the application's `genid`.
 *
 * @param {any} store
 * @param {any} req
 * @returns {string}
 */
function newId (store, req) {
  // express-session assigns to the object. It inherits from the request, so that the request does not change.
  const like = Object.create(req)
  store.generate(like)
  return like.sessionID
}

/**
 * Returns the AerospikeStore of a request's session. undefined: a migration has not begun, so no session can be renewed yet.
 *
 * @param {any} req
 * @returns {any}
 */
function storeOf (req) {
  const store = req?.sessionStore
  if (store instanceof AerospikeStore) return store
  if (store?.[RENEWED_BY] !== undefined) return store[RENEWED_BY]()
  throw badOption(store === undefined
    ? 'renew() needs a request with a session of express-session'
    : 'renew() needs an AerospikeStore: the session of this request is in a store of another kind')
}

module.exports = { renew, renewal }
