'use strict'

// The store for @fastify/rate-limit. The plugin creates the store itself, so it is given a class that knows the client.

const { now } = require('../clock')
const { Counters } = require('./counters')
const { fastifyStoreOptions, windowOf } = require('../options/rate-limit')

/**
 * @typedef {(error: any, result?: { current: number, ttl: number }) => void} Done ttl in milliseconds
 * @typedef {{ continueExceeding?: boolean, exponentialBackoff?: boolean, routeInfo?: { method?: string | string[], url?: string } }} Params
 *   of the plugin, or of a route
 */

class FastifyRateLimitStore {
  #counters
  /** @type {'' | 'restart' | 'double'} */
  #how

  /**
   * @param {Counters} counters
   * @param {Params} params
   */
  constructor (counters, { continueExceeding = false, exponentialBackoff = false }) {
    this.#counters = counters
    this.#how = continueExceeding ? 'restart' : exponentialBackoff ? 'double' : ''
  }

  /**
   * @param {string} key
   * @param {Done} done
   * @param {number} timeWindow milliseconds
   * @param {number} max
   */
  incr (key, done, timeWindow, max) {
    let rule
    try {
      rule = { window: windowOf(timeWindow) }
    } catch (error) {
      return this.#counters.failed('increment', error, done)
    }
    this.#counters.increment(key, rule, { how: this.#how, limit: Math.trunc(max) }, done, current)
  }

  /**
   * @param {string} key
   * @param {Done} done
   * @param {number} timeWindow milliseconds
   * @param {number} max
   */
  read (key, done, timeWindow, max) {
    let rule
    try {
      rule = { window: windowOf(timeWindow) }
    } catch (error) {
      return this.#counters.failed('peek', error, done)
    }
    this.#counters.peek(key, rule, Math.max(1, Math.trunc(max)), done, current)
  }

  /**
   * Returns the store of a route with a limit of its own.
   * @param {Params} params
   */
  child (params) {
    const { method = '', url = '' } = params.routeInfo ?? {}
    return new FastifyRateLimitStore(this.#counters.withPrefix(`${method} ${url} `), params)
  }
}

/** @param {string} text */
function current (text) {
  const [, used, resetAt] = JSON.parse(text)
  return { current: used, ttl: Math.max(0, resetAt - now()) }
}

/**
 * Returns the class for option `store` of the plugin.
 * @param {import('../../exports/rate-limit').FastifyRateLimitStoreOptions} [options]
 */
function fastifyRateLimitStore (options) {
  const counters = new Counters(fastifyStoreOptions(options))
  return class extends FastifyRateLimitStore {
    /** @param {Params} params */
    constructor (params) {
      super(counters, params)
    }

    static close () {
      return counters.close()
    }
  }
}

module.exports = { fastifyRateLimitStore }
