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

  /** @param {string} key */
  async get (key) {
    return this.#guard(undefined, async () => await this.#cache.get(key) ?? undefined)
  }

  /** @param {string[]} keys */
  async getMany (keys) {
    return this.#guard(keys.map(() => undefined), async () => {
      return (await this.#results(this.#cache.getMany(keys))).map(value => value ?? undefined)
    })
  }

  /**
   * @param {string} key
   * @param {any} value
   * @param {number} [ttl] milliseconds
   */
  async set (key, value, ttl) {
    return this.#guard(false, async () => {
      await this.#cache.set(key, value, ttl)
      return true
    })
  }

  /** @param {{ key: string, value: any, ttl?: number }[]} entries */
  async setMany (entries) {
    return this.#guard(entries.map(() => false), async () => (await this.#results(this.#cache.setMany(entries))).map(Boolean))
  }

  /** @param {string} key */
  async delete (key) {
    return this.#guard(false, () => this.#cache.delete(key))
  }

  /** @param {string[]} keys @returns {Promise<boolean>} whether there was an entry under any of them */
  async deleteMany (keys) {
    return this.#guard(false, async () => (await this.#results(this.#cache.deleteMany(keys))).includes(true))
  }

  /** @param {string} key */
  async has (key) {
    return this.#guard(false, () => this.#cache.has(key))
  }

  /** @param {string[]} keys */
  async hasMany (keys) {
    return this.#guard(keys.map(() => false), async () => (await this.#results(this.#cache.hasMany(keys))).map(Boolean))
  }

  async clear () {
    return this.#guard(undefined, () => this.#cache.clear())
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
   * @param {Promise<import('./cache').Outcomes>} outcomes
   */
  async #results (outcomes) {
    const { results, error } = await outcomes
    if (error !== undefined) this.#report(error)
    return results
  }

  /**
   * Returns the result of an operation. If it fails, reports the error and returns `otherwise`: a cache that does not answer is
   * no reason to fail.
   *
   * @template T
   * @param {T} otherwise
   * @param {() => Promise<T>} run
   * @returns {Promise<T>}
   */
  async #guard (otherwise, run) {
    try {
      return await run()
    } catch (error) {
      if (this.#throws) throw error
      this.#report(error)
      return otherwise
    }
  }

  /** @param {any} error */
  #report (error) {
    if (this.#throws) throw error
    // Without a listener, `emit` would throw. Keyv always listens.
    if (this.listenerCount('error') > 0) this.emit('error', error)
  }
}

module.exports = { KeyvAerospike }
