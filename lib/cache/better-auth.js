'use strict'

// The secondary storage for better-auth: its sessions, verification values and counters of rate limits.

const { Cache } = require('./cache')
const { cacheOptions, cacheView } = require('../options/cache')
const { sharedConnection } = require('../shared-client')
const { SessionStore, ASYNC_DISPOSE } = require('../stores/session-store')

/** Keys are tokens of sessions, so they are not stored. */
const STANDARD = { set: 'better-auth', storeKeys: false }

/**
 * Returns an object for option `secondaryStorage`. Its functions do not use `this`: better-auth calls some of them detached.
 * @param {import('../../exports/better-auth').SecondaryStorageOptions} [options]
 */
function secondaryStorage (options = {}) {
  const { client, own, all } = cacheOptions(options, [])
  const opened = client ?? new SessionStore(own)
  const connection = sharedConnection(opened)
  const cache = new Cache(connection.withView(cacheView(connection.view, all, STANDARD), connection.json))
  // A shared client is not closed: the application owns it.
  const close = async () => client === undefined ? opened.close() : undefined
  return {
    client: opened,
    get: (/** @type {string} */ key) => cache.get(key),
    getAndDelete: (/** @type {string} */ key) => cache.take(key),
    increment: (/** @type {string} */ key, /** @type {number} */ ttl) => cache.increment(key, milliseconds(ttl)),
    set: (/** @type {string} */ key, /** @type {string} */ value, /** @type {number | undefined} */ ttl) => cache.set(key, value, milliseconds(ttl)),
    delete: async (/** @type {string} */ key) => { await cache.delete(key) },
    close,
    [ASYNC_DISPOSE]: close
  }
}

/** @param {any} ttl seconds */
function milliseconds (ttl) {
  return typeof ttl === 'number' ? ttl * 1_000 : ttl
}

module.exports = { secondaryStorage }
