'use strict'

// The storage adapter for Keyv. One adapter belongs to one Keyv, which sets its namespace. Adapters share a client.

const { EventEmitter } = require('node:events')
const { Cache } = require('./cache')
const { badOption } = require('../errors')
const { cacheOptions, cacheView } = require('../options/cache')
const { boolean } = require('../options/validate')
const { sharedConnection } = require('../shared-client')
const { SessionStore, ASYNC_DISPOSE } = require('../stores/session-store')

const STANDARD = { set: 'cache', storeKeys: true }

class KeyvAerospike extends EventEmitter {
  #client
  #isOwned
  #connection
  #options
  #throws
  /** @type {string | undefined} */
  #namespace
  /** The cache of the namespace. @type {Cache} */
  #cache
  #storesKeys

  /** @param {import('../../exports/keyv').KeyvAerospikeOptions} [options] */
  constructor (options = {}) {
    super()
    const { client, own, all } = cacheOptions(options, ['storeKeys', 'throwOnErrors'])
    this.#throws = boolean('throwOnErrors', all.throwOnErrors ?? false)
    this.#isOwned = client === undefined
    this.#client = client ?? new SessionStore(own)
    this.#connection = sharedConnection(this.#client)
    this.#options = all
    const view = cacheView(this.#connection.view, all, STANDARD)
    this.#storesKeys = view.storeIds
    this.#cache = this.#open(view)
    // Keyv 5 offers `iterator()` only if it knows the dialect of the store. It reads nothing else from here.
    this.opts = { dialect: 'redis', url: 'aerospike:' }
  }

  get client () {
    return this.#client
  }

  /** Keyv's namespace, not Aerospike's. */
  get namespace () {
    return this.#namespace
  }

  set namespace (namespace) {
    if (namespace === this.#namespace) return
    this.#cache = this.#open(cacheView(this.#connection.view, this.#options, STANDARD, namespace))
    this.#namespace = namespace
  }

  // Each method catches by itself: a function around all of them would cost two more promises a call.

  /** @param {string} key */
  async get (key) {
    try {
      return await this.#cache.get(key) ?? undefined
    } catch (error) {
      return this.#failed(error, undefined)
    }
  }

  /** @param {string[]} keys */
  async getMany (keys) {
    try {
      return this.#results(await this.#cache.getMany(keys)).map(value => value ?? undefined)
    } catch (error) {
      return this.#failed(error, keys.map(() => undefined))
    }
  }

  /**
   * @param {string} key
   * @param {any} value
   * @param {number} [ttl] milliseconds
   */
  async set (key, value, ttl) {
    try {
      await this.#cache.set(key, value, ttl)
      return true
    } catch (error) {
      return this.#failed(error, false)
    }
  }

  /** @param {{ key: string, value: any, ttl?: number }[]} entries */
  async setMany (entries) {
    try {
      return this.#results(await this.#cache.setMany(entries)).map(Boolean)
    } catch (error) {
      return this.#failed(error, entries.map(() => false))
    }
  }

  /** @param {string} key */
  async delete (key) {
    try {
      return await this.#cache.delete(key)
    } catch (error) {
      return this.#failed(error, false)
    }
  }

  /** @param {string[]} keys @returns {Promise<boolean>} whether there was an entry under any of them */
  async deleteMany (keys) {
    try {
      return this.#results(await this.#cache.deleteMany(keys)).includes(true)
    } catch (error) {
      return this.#failed(error, false)
    }
  }

  /** @param {string} key */
  async has (key) {
    try {
      return await this.#cache.has(key)
    } catch (error) {
      return this.#failed(error, false)
    }
  }

  /** @param {string[]} keys */
  async hasMany (keys) {
    try {
      return this.#results(await this.#cache.hasMany(keys)).map(Boolean)
    } catch (error) {
      return this.#failed(error, keys.map(() => false))
    }
  }

  async clear () {
    try {
      await this.#cache.clear()
    } catch (error) {
      this.#failed(error, undefined)
    }
  }

  /** Yields the keys and values of the namespace. Keyv passes it, although it has set it before. */
  async * iterator () {
    if (!this.#storesKeys) throw badOption("iterator() needs option 'storeKeys': the server keeps no keys otherwise")
    yield * this.#cache.entries()
  }

  async disconnect () {
    // A shared client is not closed: the application owns it.
    if (this.#isOwned) await this.#client.close()
  }

  [ASYNC_DISPOSE] () {
    return this.disconnect()
  }

  /** @param {import('../options/options').ViewOptions} view */
  #open (view) {
    return new Cache(this.#connection.withView(view, this.#connection.json))
  }

  /**
   * Returns the results for several keys. Keys that failed have none, and the first failure is reported.
   * @param {import('./cache').Outcomes} outcomes
   */
  #results ({ results, error }) {
    return error === undefined ? results : this.#failed(error, results)
  }

  /**
   * Reports the error of an operation and returns its answer: a cache that does not answer is no reason to fail, unless the
   * application wants errors.
   *
   * @template T
   * @param {any} error
   * @param {T} answer
   * @returns {T}
   */
  #failed (error, answer) {
    if (this.#throws) throw error
    // Without a listener, `emit` would throw. Keyv always listens.
    if (this.listenerCount('error') > 0) this.emit('error', error)
    return answer
  }
}

module.exports = { KeyvAerospike }
