'use strict'

// The store for hono-sessions. It stores the application's keys at the top level, as other frameworks do, and not in
// `_data`. So requests that change different keys do not overwrite each other, and other applications find the keys.

const { FrameworkStore, dateOf, escaped, fill, sessionOf, unescaped } = require('./framework-store')
const { isPlain } = require('../json')

/** The key of a flash value, which lasts for one request. React Router uses the same name. */
const FLASH = /^__flash_([^]*)__$/
const RESERVED = /^(cookie|_accessed|__flash_[^]*__)$/

class HonoStore extends FrameworkStore {
  /** Loaded sessions, by the object that hono-sessions gets and passes back. @type {WeakMap<object, any>} */
  #seen = new WeakMap()

  /** @param {string} [id] */
  async getSessionById (id) {
    if (id === undefined || id === '') return null
    const session = await this.store.get(id)
    if (session === null) return null
    const data = toHono(session)
    this.#seen.set(data, session)
    return data
  }

  /**
   * @param {string} id
   * @param {any} data
   */
  async createSession (id, data) {
    this.#seen.delete(data)
    await this.persistSessionData(id, data)
  }

  /**
   * @param {string} id
   * @param {any} data
   */
  async persistSessionData (id, data) {
    // The store rejects it with BAD_DATA.
    if (!isPlain(data?._data)) return this.store.set(id, data?._data)
    if (!Object.values(data._data).every(isPlain)) return this.store.set(id, null)
    const session = sessionOf(this.#seen, data)
    fill(session, entries(data), dateOf(data._expire))
    await this.store.set(id, session)
  }

  /** @param {string} id */
  async deleteSession (id) {
    await this.store.destroy(id)
  }
}

/**
 * @param {any} data
 * @returns {Iterable<[string, any]>}
 */
function * entries ({ _data, _accessed }) {
  for (const [name, { value, flash }] of Object.entries(_data)) {
    yield [flash ? `__flash_${name}__` : escaped(name, RESERVED), value]
  }
  if (_accessed) yield ['_accessed', _accessed]
}

/** @param {any} session */
function toHono ({ cookie, _accessed = null, ...data }) {
  return {
    _data: Object.fromEntries(Object.entries(data).map(entry)),
    _expire: dateOf(cookie?.expires)?.toISOString() ?? null,
    _delete: false,
    _accessed
  }
}

/**
 * @param {[string, any]} stored
 * @returns {[string, { value: any, flash: boolean }]}
 */
function entry ([name, value]) {
  const [, flash] = FLASH.exec(name) ?? []
  if (flash !== undefined) return [flash, { value, flash: true }]
  return [unescaped(name, RESERVED), { value, flash: false }]
}

module.exports = { HonoStore }
