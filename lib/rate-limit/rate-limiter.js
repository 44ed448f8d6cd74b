'use strict'

// A rate limiter without a framework.

const { now } = require('../clock')
const { optional, quiet } = require('../connection')
const { Counters } = require('./counters')
const { integer } = require('../options/validate')
const { rateLimiterOptions } = require('../options/rate-limit')
const { ASYNC_DISPOSE } = require('../stores/session-store')

/**
 * @typedef {import('../bridge/hub').Callback} Callback
 * @typedef {import('../../exports/rate-limit').RateLimitResult} Result
 */

/** Errors that are not about the cluster: `onError` does not decide them. */
const OF_THE_CALLER = ['BAD_KEY', 'BAD_OPTION', 'CLOSED']
/** Seconds after which a request that was denied because of an error may try again. */
const DENIED_FOR = 1

class RateLimiter {
  #counters
  #rule
  #limit
  #onError
  /** @param {string} text */
  #decode = text => this.#result(JSON.parse(text))

  /** @param {import('../../exports/rate-limit').RateLimiterOptions} options */
  constructor (options) {
    const { limit, onError, place, rule } = rateLimiterOptions(options)
    this.#counters = new Counters(place)
    this.#limit = limit
    this.#onError = onError
    this.#rule = rule
  }

  get client () {
    return this.#counters.client
  }

  /**
   * @param {any} key
   * @param {any} [points]
   * @param {any} [callback]
   */
  consume (key, points, callback) {
    if (typeof points === 'function') [points, callback] = [undefined, points]
    return quiet(this.#consume(key, points ?? 1, optional(callback)), arguments.length > 2)
  }

  /**
   * @param {any} key
   * @param {any} points
   * @param {Callback | undefined} done
   */
  #consume (key, points, done) {
    try {
      integer('points', points, 1, this.#limit)
    } catch (error) {
      return this.#counters.failed('consume', error, done)
    }
    if (this.#onError === null) return this.#counters.consume(key, this.#rule, this.#limit, points, done, this.#decode)
    const decide = (/** @type {any} */ error) => OF_THE_CALLER.includes(error.code) ? undefined : this.#decision(error, points)
    if (done === undefined) {
      const counted = /** @type {Promise<any>} */ (this.#counters.consume(key, this.#rule, this.#limit, points, undefined, this.#decode))
      return counted.catch(error => {
        const result = decide(error)
        if (result === undefined) throw error
        return result
      })
    }
    return this.#counters.consume(key, this.#rule, this.#limit, points, (error, result) => {
      const decided = error === null ? undefined : decide(error)
      if (decided === undefined) done(error, result)
      else done(null, decided)
    }, this.#decode)
  }

  /**
   * @param {any} key
   * @param {any} [callback]
   */
  peek (key, callback) {
    return quiet(this.#counters.peek(key, this.#rule, this.#limit, optional(callback), this.#decode), arguments.length > 1)
  }

  /**
   * @param {any} key
   * @param {any} [callback]
   */
  reset (key, callback) {
    return quiet(this.#counters.reset(key, optional(callback)), arguments.length > 1)
  }

  stats () {
    return this.#counters.stats()
  }

  close () {
    return this.#counters.close()
  }

  [ASYNC_DISPOSE] () {
    return this.close()
  }

  /**
   * @param {import('./counters').Counted} counted
   * @returns {Result}
   */
  #result ([allowed, used, resetAt, retryAt]) {
    return {
      allowed: allowed === 1,
      remaining: Math.max(0, this.#limit - used),
      resetAt: new Date(resetAt),
      retryAfter: allowed === 1 ? 0 : Math.max(1, Math.ceil((retryAt - now()) / 1_000))
    }
  }

  /**
   * Returns the result that option `onError` asks for.
   *
   * @param {import('../../index').AerospikeSessionError} error
   * @param {number} points
   * @returns {Result}
   */
  #decision (error, points) {
    const allowed = this.#onError === 'allow'
    return {
      allowed,
      remaining: allowed ? this.#limit - points : 0,
      resetAt: new Date(now() + (allowed ? 0 : DENIED_FOR * 1_000)),
      retryAfter: allowed ? 0 : DENIED_FOR,
      error
    }
  }
}

module.exports = { RateLimiter }
