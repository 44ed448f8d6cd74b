'use strict'

// Forwards the events of a client to the stores that share it. It holds the stores weakly, so that an unused store is
// garbage collected although its shared client lives on. The client has one listener per event, however many stores there are.

const { announce } = require('./warnings')

/**
 * @typedef {import('../index').SessionStoreWarning} Warning
 * @typedef {(event: 'up' | 'down' | 'warning', warning?: Warning) => void} Listener
 */

class EventForwarder {
  /** @type {Set<WeakRef<object>>} */
  #stores = new Set()
  /** @type {FinalizationRegistry<WeakRef<object>>} */
  #collected = new FinalizationRegistry(ref => this.#stores.delete(ref))
  /** @type {WeakMap<object, Listener>} */
  #listeners = new WeakMap()
  #isListening = false

  /**
   * @param {import('node:events').EventEmitter} client
   * @param {object} store
   * @param {Listener} listener may hold the store: it is freed together with the store
   */
  add (client, store, listener) {
    const ref = new WeakRef(store)
    this.#stores.add(ref)
    this.#collected.register(store, ref)
    this.#listeners.set(store, listener)
    if (!this.#isListening) this.#listen(client)
  }

  /** @param {import('node:events').EventEmitter} client */
  #listen (client) {
    this.#isListening = true
    for (const event of /** @type {const} */ (['up', 'down'])) client.on(event, () => this.#forward(event))
    client.on('warning', (/** @type {Warning} */ warning) => {
      // Because of this listener the client emits no process warning.
      if (!this.#forward('warning', warning) && client.listenerCount('warning') === 1) announce(warning)
    })
  }

  /**
   * @param {'up' | 'down' | 'warning'} event
   * @param {Warning} [warning]
   * @returns {boolean} true if a store received the event
   */
  #forward (event, warning) {
    let isReceived = false
    for (const ref of [...this.#stores]) {
      const store = ref.deref()
      if (store === undefined) continue
      isReceived = true
      this.#listeners.get(store)?.(event, warning)
    }
    return isReceived
  }
}

module.exports = { EventForwarder }
