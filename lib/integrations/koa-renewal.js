'use strict'

// The renewal of session ids for koa-session: a function for one request, and a middleware that renews all sessions from time to
// time (lib/stores/koa-store.js).

const { now } = require('../clock')
const { badOption } = require('../errors')
const { renewOptions, renewalOptions } = require('../options/renewal')
const { KoaStore } = require('../stores/koa-store')
const { emitWarning } = require('../warnings')

/**
 * @param {any} context
 * @param {any} [options]
 */
async function renew (context, options) {
  const { grace } = renewOptions(options)
  return storeOf(context).renewSession(context, grace)
}

/** @param {any} [options] */
function renewal (options) {
  const { every, grace } = renewalOptions(options)
  /**
   * @param {any} context
   * @param {() => Promise<any>} next
   */
  return async function renewal (context, next) {
    const store = storeOf(context)
    const known = store.baselineOf(context)
    if (known?.head !== undefined) {
      const isDue = () => known.isDue(every, now())
      store.leaveOut(context, context.session.externalKey, () => known.isAliased() || isDue())
      if (!known.isAliased() && isDue()) await attempt(store, context, grace)
    }
    return next()
  }
}

/**
 * @param {any} store
 * @param {any} context
 * @param {number} grace milliseconds
 */
async function attempt (store, context, grace) {
  try {
    await store.renewSession(context, grace)
  } catch (/** @type {any} */ error) {
    emitWarning(store.store, { code: 'RENEWAL_FAILED', message: `the id of a session was not renewed: ${error.message}` })
  }
}

/**
 * @param {any} context
 * @returns {any}
 */
function storeOf (context) {
  const store = context?.sessionOptions?.store
  if (store instanceof KoaStore) return store
  throw badOption(store === undefined
    ? 'a renewal needs a context with a session of koa-session, in a store'
    : 'a renewal needs a KoaStore: the session of this request is in a store of another kind')
}

module.exports = { renew, renewal }
