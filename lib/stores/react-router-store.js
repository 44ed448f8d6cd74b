'use strict'

// The store for React Router's createSessionStorage, which passes an id and data but not the request. `guard` wraps the
// storage, so that the store finds the loaded session of each session object.

const crypto = require('node:crypto')
const { AsyncLocalStorage } = require('node:async_hooks')
const { FrameworkStore, dataOf, dateOf, entriesOf, fill } = require('./framework-store')
const { isPlain } = require('../json')
const { idFault } = require('../options/validate')

/** Random bytes per session id. */
const ID_BYTES = 24

/**
 * @typedef {{ session?: any }} Loaded the loaded session of one session object of React Router
 */

class ReactRouterStore extends FrameworkStore {
  /** @type {AsyncLocalStorage<Loaded>} */
  #loaded = new AsyncLocalStorage()

  /** @param {any} [options] */
  constructor (options) {
    super(options)
    // Own properties, for { cookie, ...store }.
    this.createData = this.#createData.bind(this)
    this.readData = this.#readData.bind(this)
    this.updateData = this.#updateData.bind(this)
    this.deleteData = this.#deleteData.bind(this)
  }

  /**
   * Wraps a storage, so that each of its session objects keeps its baseline.
   * @param {any} storage
   */
  guard (storage) {
    /** @type {WeakMap<object, Loaded>} */
    const sessions = new WeakMap()
    return {
      ...storage,
      getSession: async (/** @type {any[]} */ ...args) => {
        const loaded = {}
        const session = await this.#loaded.run(loaded, () => storage.getSession(...args))
        sessions.set(session, loaded)
        return session
      },
      commitSession: (/** @type {any} */ session, /** @type {any[]} */ ...args) => {
        return this.#loaded.run(sessions.get(session) ?? {}, () => storage.commitSession(session, ...args))
      }
    }
  }

  /**
   * @param {any} data
   * @param {Date} [expires]
   */
  async #createData (data, expires) {
    const id = crypto.randomBytes(ID_BYTES).toString('base64url')
    await this.#write(id, {}, data, expires)
    return id
  }

  /** @param {string} id */
  async #readData (id) {
    // The id comes from a cookie. If the cookie is not signed, the id may be any text.
    if (idFault(id) !== undefined) return null
    const loaded = this.#loaded.getStore()
    const session = await this.store.get(id)
    if (session === null) return null
    if (loaded !== undefined) loaded.session = session
    return dataOf(session)
  }

  /**
   * @param {string} id
   * @param {any} data
   * @param {Date} [expires]
   */
  async #updateData (id, data, expires) {
    const loaded = this.#loaded.getStore() ?? {}
    loaded.session ??= {}
    await this.#write(id, loaded.session, data, expires)
  }

  /** @param {string} id */
  async #deleteData (id) {
    // The id of a session that was never stored is empty.
    if (idFault(id) !== undefined) return
    await this.store.destroy(id)
  }

  /**
   * @param {string} id
   * @param {any} session
   * @param {any} data
   * @param {Date} [expires]
   */
  async #write (id, session, data, expires) {
    // The store rejects it with BAD_DATA.
    if (!isPlain(data)) return this.store.set(id, data)
    fill(session, entriesOf(data), dateOf(expires))
    await this.store.set(id, session)
  }
}

module.exports = { ReactRouterStore }
