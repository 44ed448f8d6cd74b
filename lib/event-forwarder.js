'use strict'

// The stores that see a client's sessions, and want to be told what it is told. Weakly: a lent client outlives many of
// them, and one that nobody uses any more is garbage. However many there are, the client has one listener an event.

const { announce } = require('./warnings')

/**
 * @typedef {import('../index').SessionStoreWarning} Warning
 * @typedef {(event: 'up' | 'down' | 'warning', warning?: Warning) => void} Listener
 */

class EventForwarder {
  /** @type {Set<WeakRef<object>>} */
  #all = new Set()
  /** @type {FinalizationRegistry<WeakRef<object>>} */
  #gone = new FinalizationRegistry(ref => this.#all.delete(ref))
  /** @type {WeakMap<object, Listener>} */
  #listeners = new WeakMap()
  #listens = false

  /**
   * @param {import('node:events').EventEmitter} client
   * @param {object} store
   * @param {Listener} listener may hold the store: it goes when that goes
   */
  add (client, store, listener) {
    const ref = new WeakRef(store)
    this.#all.add(ref)
    this.#gone.register(store, ref)
    this.#listeners.set(store, listener)
    if (!this.#listens) this.#listen(client)
  }

  /** @param {import('node:events').EventEmitter} client */
  #listen (client) {
    this.#listens = true
    for (const event of /** @type {const} */ (['up', 'down'])) client.on(event, () => this.#forward(event))
    client.on('warning', (/** @type {Warning} */ warning) => {
      // With this listener the client takes it for heard.
      if (!this.#forward('warning', warning) && client.listenerCount('warning') === 1) announce(warning)
    })
  }

  /**
   * @param {'up' | 'down' | 'warning'} event
   * @param {Warning} [warning]
   * @returns {boolean} whether there was anybody to tell
   */
  #forward (event, warning) {
    let isReceived = false
    for (const ref of [...this.#all]) {
      const store = ref.deref()
      if (store === undefined) continue
      isReceived = true
      this.#listeners.get(store)?.(event, warning)
    }
    return isReceived
  }
}

module.exports = { EventForwarder }
