'use strict'

// The options of rate limits.

const { badOption } = require('../errors')
const { CONNECTION, sessionStoreOptions } = require('./options')
const { choice, given, integer, kind, name, string } = require('./validate')

/**
 * @typedef {{ client: any, own: object, set: string, prefix: string }} Place own: the options of a connection, if there is no client
 * @typedef {{ window: number, sliding: boolean }} Rule the window in milliseconds
 */

/** Seconds: a year. The arithmetic of the counters does not overflow with it (src/rate_limits/window.rs). */
const LONGEST_WINDOW = 31_536_000
/** The most points that a counter holds (src/rate_limits/window.rs). */
const LARGEST_LIMIT = 100_000_000

/** What belongs to the client, if there is a shared one. */
const OF_CLIENT = [...CONNECTION, 'namespace', 'hashIds']
const PLACE = ['client', 'set', 'prefix', ...OF_CLIENT]
const TYPE = 'type'
const LIMITER = [...PLACE, TYPE, 'limit', 'window', 'onError']

/**
 * @param {any} options
 * @param {string[]} known
 * @param {string} prefix the default
 */
function read (options, known, prefix) {
  const all = given(options, known)
  const { client } = all
  if (client !== undefined) {
    const stray = OF_CLIENT.find(name => name in all)
    if (stray !== undefined) throw badOption(`option '${stray}' belongs to the client: give it to the SessionStore`)
  }
  const own = Object.fromEntries(OF_CLIENT.filter(name => name in all).map(name => [name, all[name]]))
  // Refuses wrong options before anything is opened.
  if (client === undefined) sessionStoreOptions(own)
  return {
    all,
    place: { client, own, set: name('set', all.set ?? 'ratelimits'), prefix: string('prefix', all.prefix ?? prefix) }
  }
}

/** @param {any} type */
const isSliding = type => choice('type', type ?? 'fixed', /** @type {const} */ (['fixed', 'sliding'])) === 'sliding'

/**
 * Checks the options of a RateLimiter.
 * @param {any} options
 * @returns {{ place: Place, rule: Rule, limit: number, onError: 'allow' | 'deny' | null }}
 */
function rateLimiterOptions (options = {}) {
  const { all, place } = read(options, LIMITER, '')
  const { limit, onError, type, window } = all
  if (limit === undefined) throw badOption("option 'limit' is missing: the points that a key may consume in a window")
  if (window === undefined) throw badOption("option 'window' is missing: its length in seconds")
  return {
    place,
    limit: integer('limit', limit, 1, LARGEST_LIMIT),
    rule: { window: seconds(window), sliding: isSliding(type) },
    onError: onError === undefined ? null : choice('onError', onError, /** @type {const} */ (['allow', 'deny']))
  }
}

/**
 * Checks the options of a store for express-rate-limit.
 * @param {any} [options]
 * @returns {{ place: Place, sliding: boolean }}
 */
function expressStoreOptions (options = {}) {
  const { all, place } = read(options, [...PLACE, TYPE], 'express:')
  return { place, sliding: isSliding(all.type) }
}

/**
 * Checks the options of a store for @fastify/rate-limit.
 * @param {any} [options]
 * @returns {Place}
 */
function fastifyStoreOptions (options = {}) {
  return read(options, PLACE, 'fastify:').place
}

/**
 * @param {any} window seconds
 * @returns {number} milliseconds
 */
function seconds (window) {
  if (typeof window !== 'number') throw badOption(`option 'window' must be a number of seconds, not ${kind(window)}`)
  if (!(window > 0 && window <= LONGEST_WINDOW)) {
    throw badOption(`option 'window' must be more than 0 and at most ${LONGEST_WINDOW} seconds (a year), not ${window}`)
  }
  return Math.ceil(window * 1_000)
}

/**
 * Checks a window that a framework passes.
 * @param {any} ms
 * @returns {number} milliseconds
 */
function windowOf (ms) {
  if (typeof ms !== 'number' || !(ms > 0 && ms <= LONGEST_WINDOW * 1_000)) {
    throw badOption(`the window of a rate limit must be more than 0 and at most ${LONGEST_WINDOW * 1_000} milliseconds (a year), not ${kind(ms)}`)
  }
  return Math.ceil(ms)
}

module.exports = { expressStoreOptions, fastifyStoreOptions, rateLimiterOptions, windowOf }
