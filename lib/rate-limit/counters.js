'use strict'

// The counters of a limiter: on a client that the application shares, or on a connection of their own.

const { operations } = require('../connection')
const { now } = require('../clock')
const { keyFault } = require('../options/validate')
const { sharedConnection } = require('../shared-client')
const { badKey } = require('../errors')
const { SessionStore } = require('../stores/session-store')

/**
 * @typedef {import('../bridge/hub').Callback} Callback
 * @typedef {import('../bridge/hub').Decode} Decode
 * @typedef {{ window: number, sliding?: boolean }} Rule the window in milliseconds
 * @typedef {[isAllowed: number, used: number, resetAt: number, retryAt: number]} Counted times in milliseconds since 1970
 */

/** The largest limit, and the most points that a counter holds (src/rate_limits/window.rs). */
const MOST_POINTS = 100_000_000

class Counters {
  #client
  #owned
  #connection
  #place

  /** @param {import('../options/rate-limit').Place} place */
  constructor (place) {
    const { client, own } = place
    this.#owned = client === undefined
    this.#client = client ?? new SessionStore(own)
    this.#place = place
    this.#connection = sharedConnection(this.#client).withLimits(place.set, place.prefix)
  }

  /** @param {string} suffix */
  withPrefix (suffix) {
    const { set, prefix } = this.#place
    return new Counters({ client: this.#client, own: {}, set, prefix: prefix + suffix })
  }

  get client () {
    return this.#client
  }

  get prefix () {
    return this.#place.prefix
  }

  /**
   * Adds points, if they fit into the limit.
   *
   * @param {any} key
   * @param {Rule} rule
   * @param {number} limit
   * @param {number} points
   * @param {Callback | undefined} callback
   * @param {Decode} decode
   */
  consume (key, { window, sliding = false }, limit, points, callback, decode) {
    return this.#request(operations.consume, key, callback, decode, [sliding, window, limit, points, now()])
  }

  /**
   * Adds a point, whatever the limit.
   *
   * @param {any} key
   * @param {Rule} rule
   * @param {{ how: '' | 'restart' | 'double', limit: number }} extend what happens to the window of a counter beyond the limit
   * @param {Callback | undefined} callback
   * @param {Decode} decode
   */
  increment (key, { window, sliding = false }, { how, limit }, callback, decode) {
    return this.#request(operations.increment, key, callback, decode, [sliding, window, 1, now(), how, limit])
  }

  /**
   * Takes back a point.
   *
   * @param {any} key
   * @param {Callback | undefined} callback
   */
  decrement (key, callback) {
    return this.#request(operations.decrement, key, callback, JSON.parse, [1])
  }

  /**
   * Returns the state of a counter, for a request of one point.
   *
   * @param {any} key
   * @param {Rule} rule
   * @param {number} limit
   * @param {Callback | undefined} callback
   * @param {Decode} decode
   */
  peek (key, { window, sliding = false }, limit, callback, decode) {
    return this.#request(operations.peek, key, callback, decode, [sliding, window, limit, 1, now()])
  }

  /**
   * @param {any} key
   * @param {Callback | undefined} callback
   */
  reset (key, callback) {
    return this.#request(operations.reset, key, callback, JSON.parse, [])
  }

  /** @param {Callback | undefined} callback */
  resetAll (callback) {
    return this.#connection.request(operations.resetAll, callback)
  }

  /**
   * Fails a request that could not be made.
   *
   * @param {'consume' | 'increment' | 'peek'} name
   * @param {unknown} error
   * @param {Callback | undefined} callback
   */
  failed (name, error, callback) {
    return this.#connection.failed(operations[name], error, callback)
  }

  stats () {
    return this.#client.stats()
  }

  /** Closes the connection, unless the application owns it. */
  async close () {
    if (this.#owned) await this.#client.close()
  }

  /**
   * @param {import('../tracing').Operation} operation
   * @param {any} key
   * @param {Callback | undefined} callback
   * @param {Decode} decode
   * @param {any[]} args of the operation's entry point, after the key
   */
  #request (operation, key, callback, decode, args) {
    const fault = keyFault(key)
    if (fault !== undefined) return this.#connection.fail(operation, badKey(fault), callback)
    return this.#connection.request(operation, callback, [key, ...args], decode)
  }
}

module.exports = { Counters, MOST_POINTS }
