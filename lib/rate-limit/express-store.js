'use strict'

// The store for express-rate-limit.

const { Counters, MOST_POINTS } = require('./counters')
const { expressStoreOptions, windowOf } = require('../options/rate-limit')
const { ASYNC_DISPOSE } = require('../stores/session-store')

/** An increment changes nothing about the window. */
const NO_EXTENSION = /** @type {const} */ ({ how: '', limit: 0 })

class AerospikeRateLimitStore {
  #counters
  #sliding
  /** Milliseconds. express-rate-limit's default, until `init` is called. */
  #window = 60_000

  /** @param {import('../../exports/rate-limit').AerospikeRateLimitStoreOptions} [options] */
  constructor (options) {
    const { place, sliding } = expressStoreOptions(options)
    this.#counters = new Counters(place)
    this.#sliding = sliding
    /** The counters are shared by all processes: express-rate-limit need not warn of keys that are counted twice by several stores. */
    this.localKeys = false
    this.prefix = place.prefix
  }

  get client () {
    return this.#counters.client
  }

  /** @param {{ windowMs: number }} options of express-rate-limit */
  init ({ windowMs }) {
    this.#window = windowOf(windowMs)
  }

  /** @param {string} key */
  async get (key) {
    const info = await this.#counters.peek(key, this.#rule, MOST_POINTS, undefined, clientInfo)
    return info.totalHits === 0 ? undefined : info
  }

  /** @param {string} key */
  increment (key) {
    return this.#counters.increment(key, this.#rule, NO_EXTENSION, undefined, clientInfo)
  }

  /** @param {string} key */
  decrement (key) {
    return this.#counters.decrement(key, undefined)
  }

  /** @param {string} key */
  async resetKey (key) {
    await this.#counters.reset(key, undefined)
  }

  resetAll () {
    return this.#counters.resetAll(undefined)
  }

  stats () {
    return this.#counters.stats()
  }

  close () {
    return this.#counters.close()
  }

  /** Called by express-rate-limit. */
  shutdown () {
    return this.close()
  }

  [ASYNC_DISPOSE] () {
    return this.close()
  }

  get #rule () {
    return { window: this.#window, sliding: this.#sliding }
  }
}

/** @param {string} text */
function clientInfo (text) {
  const [, totalHits, resetAt] = JSON.parse(text)
  return { totalHits, resetTime: new Date(resetAt) }
}

module.exports = { AerospikeRateLimitStore }
