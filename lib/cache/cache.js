'use strict'

// The entries of one namespace of a cache, over a connection of the core. Values are strings.

const { randomBytes } = require('node:crypto')
const { now } = require('../clock')
const { operations } = require('../connection')
const { badData, badKey, fromNative } = require('../errors')
const { endAfter } = require('../options/cache')
const { idFault, type } = require('../options/validate')
const { pages } = require('../scan-pages')

/** About how many entries a page of a scan has. */
const PAGE = 1_000
/** The most entries in one request. A request holds all of its answers in memory. */
const MOST_AT_ONCE = 1_000

/**
 * @typedef {import('../tracing').Operation} Operation
 * @typedef {{ results: any[], error: Error | undefined }} Outcomes of several keys: null where there is nothing or the operation failed
 */

class Cache {
  #connection

  /** @param {import('../connection').Connection} connection with the view of the cache */
  constructor (connection) {
    this.#connection = connection
  }

  /** @param {string} key @returns {Promise<string | null>} */
  get (key) {
    return this.#one(operations.cacheGet, key)
  }

  /** @param {string} key @returns {Promise<boolean>} */
  has (key) {
    return this.#one(operations.cacheHas, key)
  }

  /**
   * @param {string} key
   * @param {string} value
   * @param {number} [ttl] milliseconds
   * @returns {Promise<void>}
   */
  set (key, value, ttl) {
    return this.#attempt(operations.cacheSet, () => [checkKey(key), checkValue(value), endAfter(ttl, now())])
  }

  /** @param {string} key @returns {Promise<boolean>} whether there was an entry */
  delete (key) {
    return this.#one(operations.cacheDelete, key)
  }

  /** Returns a value and removes it. @param {string} key @returns {Promise<string | null>} */
  take (key) {
    return this.#one(operations.cacheTake, key)
  }

  /**
   * Adds 1 to a counter, or begins one. Its lifetime begins with it.
   *
   * @param {string} key
   * @param {number} ttl milliseconds
   * @returns {Promise<number>} the new value
   */
  increment (key, ttl) {
    const token = randomBytes(6).readUIntBE(0, 6)
    return this.#attempt(operations.cacheIncrement, () => [checkKey(key), endAfter(ttl, now()), token])
  }

  /** @param {string[]} keys */
  getMany (keys) {
    return this.#many(operations.cacheGetMany, keys, keys => [keys], texts)
  }

  /** @param {string[]} keys */
  hasMany (keys) {
    return this.#many(operations.cacheHasMany, keys, keys => [keys], flags)
  }

  /** @param {string[]} keys */
  deleteMany (keys) {
    return this.#many(operations.cacheDeleteMany, keys, keys => [keys], flags)
  }

  /** @param {{ key: string, value: string, ttl?: number }[]} entries the last one with a key counts */
  setMany (entries) {
    const byKey = new Map(entries.map(entry => [entry.key, entry]))
    return this.#many(operations.cacheSetMany, entries.map(({ key }) => key), keys => {
      const chosen = keys.map(key => /** @type {typeof entries[0]} */ (byKey.get(key)))
      const time = now()
      return [keys, chosen.map(({ value }) => checkValue(value)), chosen.map(({ ttl }) => endAfter(ttl, time))]
    }, flags)
  }

  /** Removes all entries of the namespace. @returns {Promise<void>} */
  clear () {
    return this.#attempt(operations.cacheClear, () => [])
  }

  /** Yields keys and values. @returns {AsyncGenerator<[string, string], void>} */
  async * entries () {
    const ask = (/** @type {number} */ first, /** @type {number} */ count) => {
      return this.#connection.request(operations.cacheEntries, undefined, [first, count], text => texts(text).results)
    }
    for await (const { page } of pages(ask, PAGE, found => found.length / 2)) {
      for (let next = 0; next < page.length; next += 2) yield [page[next], page[next + 1]]
    }
  }

  /**
   * @param {Operation} operation
   * @param {string} key
   * @returns {Promise<any>}
   */
  #one (operation, key) {
    const fault = idFault(key, 'a key')
    if (fault !== undefined) return /** @type {Promise<any>} */ (this.#connection.fail(operation, badKey(fault), undefined))
    return /** @type {Promise<any>} */ (this.#connection.request(operation, undefined, [key], asIs))
  }

  /**
   * Makes a request whose arguments may be wrong.
   *
   * @param {Operation} operation
   * @param {() => any[]} args
   * @returns {Promise<any>}
   */
  #attempt (operation, args) {
    return /** @type {Promise<any>} */ (this.#connection.attempt(operation, undefined, () => {
      return this.#connection.request(operation, undefined, args(), asIs)
    }))
  }

  /**
   * Makes a request about several keys, in parts if they are many. A key that occurs twice is sent once.
   *
   * @param {Operation} operation
   * @param {string[]} keys
   * @param {(keys: string[]) => any[]} args
   * @param {(text: string) => Outcomes} decode
   * @returns {Promise<Outcomes>}
   */
  async #many (operation, keys, args, decode) {
    const distinct = [...new Set(keys)]
    const ask = (/** @type {string[]} */ part) => /** @type {Promise<Outcomes>} */ (this.#connection.attempt(operation, undefined, () => {
      part.forEach(checkKey)
      return this.#connection.request(operation, undefined, args(part), decode)
    }))
    if (distinct.length === keys.length && keys.length > 0 && keys.length <= MOST_AT_ONCE) return ask(keys)
    /** @type {Map<string, any>} */
    const found = new Map()
    /** @type {Error | undefined} */
    let error
    for (let first = 0; first < distinct.length; first += MOST_AT_ONCE) {
      const part = distinct.slice(first, first + MOST_AT_ONCE)
      const outcomes = await ask(part)
      part.forEach((key, n) => found.set(key, outcomes.results[n]))
      error ??= outcomes.error
    }
    return { results: keys.map(key => found.get(key)), error }
  }
}

/** @param {string} text */
const asIs = text => text

/** @param {any} key */
function checkKey (key) {
  const fault = idFault(key, 'a key')
  if (fault !== undefined) throw badKey(fault)
  return key
}

/** @param {any} value */
function checkValue (value) {
  if (typeof value !== 'string') throw badData(`a value must be a string, not ${type(value)}: the cache needs a serializer`)
  if (!value.isWellFormed()) throw badData('a value must be well-formed Unicode')
  return value
}

/**
 * Reads the first line of an answer about several keys (src/store/cache_ops.rs).
 * @param {string} text
 */
function head (text) {
  const end = text.indexOf('\n')
  const { results, error } = JSON.parse(text.slice(0, end))
  return { results, error: error === null ? undefined : fromNative(JSON.stringify(error)), rest: end + 1 }
}

/** @param {string} text @returns {Outcomes} */
function flags (text) {
  const { results, error } = head(text)
  return { results, error }
}

/** Reads the texts after the first line, which has their lengths. @param {string} text @returns {Outcomes} */
function texts (text) {
  const { results: lengths, error, rest } = head(text)
  let at = rest
  const results = lengths.map((/** @type {number | null} */ length) => {
    if (length === null) return null
    at += length
    return text.slice(at - length, at)
  })
  return { results, error }
}

module.exports = { Cache }
