'use strict'

// The stores that see a client's sessions, and want to be told what it is told. Weakly: a lent client outlives many of
// them, and one that nobody uses any more is garbage. However many there are, the client has one listener an event.

const { announce } = require('./warnings')

/**
 * @typedef {import('../index').SessionStoreWarning} Warning
 * @typedef {(event: 'up' | 'down' | 'warning', warning?: Warning) => void} Hear
 */

class Followers {
  /** @type {Set<WeakRef<object>>} */
  #all = new Set()
  /** @type {FinalizationRegistry<WeakRef<object>>} */
  #gone = new FinalizationRegistry(follower => this.#all.delete(follower))
  /** @type {WeakMap<object, Hear>} */
  #hear = new WeakMap()
  #listens = false

  /**
   * @param {import('node:events').EventEmitter} client
   * @param {object} store
   * @param {Hear} hear may hold the store: it goes when that goes
   */
  add (client, store, hear) {
    const follower = new WeakRef(store)
    this.#all.add(follower)
    this.#gone.register(store, follower)
    this.#hear.set(store, hear)
    if (!this.#listens) this.#listen(client)
  }

  /** @param {import('node:events').EventEmitter} client */
  #listen (client) {
    this.#listens = true
    for (const event of /** @type {const} */ (['up', 'down'])) client.on(event, () => this.#tell(event))
    client.on('warning', (/** @type {Warning} */ warning) => {
      // With this listener the client takes it for heard.
      if (!this.#tell('warning', warning) && client.listenerCount('warning') === 1) announce(warning)
    })
  }

  /**
   * @param {'up' | 'down' | 'warning'} event
   * @param {Warning} [warning]
   * @returns {boolean} whether there was anybody to tell
   */
  #tell (event, warning) {
    let isHeard = false
    for (const follower of [...this.#all]) {
      const store = follower.deref()
      if (store === undefined) continue
      isHeard = true
      this.#hear.get(store)?.(event, warning)
    }
    return isHeard
  }
}

module.exports = { Followers }
