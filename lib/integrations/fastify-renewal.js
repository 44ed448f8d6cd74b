'use strict'

// The renewal of session ids for @fastify/session: a function for one request, and a plugin that renews all sessions from time to
// time (lib/stores/fastify-store.js).

const { now } = require('../clock')
const { badOption } = require('../errors')
const { renewOptions, renewalOptions } = require('../options/renewal')
const { FastifyStore } = require('../stores/fastify-store')
const { emitWarning } = require('../warnings')

/**
 * The sessions whose cookies may be outdated, by request: a request that still comes with the old id must not set the cookie with
 * the old id again.
 * @type {WeakMap<object, { value: string, isOutdated: () => boolean }[]>}
 */
const outdated = new WeakMap()

/**
 * @param {any} request
 * @param {any} [options]
 */
async function renew (request, options) {
  const { grace } = renewOptions(options)
  const { session } = request ?? {}
  const store = storeOf(request)
  const value = session?.encryptedSessionId
  const isRenewed = await store.renewSession(request, grace)
  // Another request may have been first.
  if (!isRenewed && value !== undefined) leaveOut(request, value, () => store.baselineOf(session)?.isAliased() ?? false)
  return isRenewed
}

/**
 * The plugin.
 *
 * @param {any} fastify
 * @param {any} options
 * @param {(error?: any) => void} next
 */
function renewal (fastify, options, next) {
  let every, grace
  try {
    ({ every, grace } = renewalOptions(options))
  } catch (error) {
    return next(error)
  }
  fastify.addHook('onRequest', async (/** @type {any} */ request) => {
    const store = storeOf(request)
    const { session } = request
    const known = store.baselineOf(session)
    // A request of another path has no session.
    if (known?.head === undefined) return
    const isDue = () => known.isDue(every, now())
    leaveOut(request, session.encryptedSessionId, () => known.isAliased() || isDue())
    if (known.isAliased() || !isDue()) return
    try {
      await store.renewSession(request, grace)
    } catch (/** @type {any} */ error) {
      emitWarning(store, { code: 'RENEWAL_FAILED', message: `the id of a session was not renewed: ${error.message}` })
    }
  })
  // After the hook of @fastify/session, which sets the cookie.
  fastify.addHook('onSend', async (/** @type {any} */ request, /** @type {any} */ reply) => {
    const cookies = reply.getHeader('set-cookie')
    const values = (outdated.get(request) ?? []).filter(({ isOutdated }) => isOutdated()).flatMap(({ value }) => [value, encodeURIComponent(value)])
    if (cookies === undefined || values.length === 0) return
    // Whether values are encoded depends on the version of the cookie library. The plugin may put a prefix before the value.
    const kept = [cookies].flat().filter(cookie => !values.some(value => cookie.split(';', 1)[0].endsWith(value)))
    reply.removeHeader('set-cookie')
    if (kept.length > 0) reply.header('set-cookie', kept)
  })
  next()
}

/**
 * @param {object} request
 * @param {string} value of the cookie
 * @param {() => boolean} isOutdated
 */
function leaveOut (request, value, isOutdated) {
  const cookies = outdated.get(request) ?? []
  outdated.set(request, cookies)
  cookies.push({ value, isOutdated })
}

/**
 * @param {any} request
 * @returns {any}
 */
function storeOf (request) {
  const store = request?.sessionStore
  if (store instanceof FastifyStore) return store
  throw badOption(store === undefined
    ? 'a renewal needs a request with a session of @fastify/session'
    : 'a renewal needs a FastifyStore: the session of this request is in a store of another kind')
}

// As fastify-plugin does: the hooks are for all routes of the instance, and need @fastify/session before them.
Object.assign(renewal, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'aerospike-session-renewal',
  [Symbol.for('plugin-meta')]: { name: 'aerospike-session-renewal', dependencies: ['@fastify/session'] }
})

module.exports = { renew, renewal }
