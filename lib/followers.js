'use strict'

// The stores that see a client's sessions, and want to be told what it is told. Weakly: a lent client outlives many of
// them, and one that nobody uses any more is garbage.

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

  /**
   * @param {object} store
   * @param {Hear} hear may hold the store: it goes when that goes
   */
  add (store, hear) {
    const follower = new WeakRef(store)
    this.#all.add(follower)
    this.#gone.register(store, follower)
    this.#hear.set(store, hear)
  }

  /**
   * @param {'up' | 'down' | 'warning'} event
   * @param {Warning} [warning]
   * @returns {boolean} whether there was anybody to tell
   */
  tell (event, warning) {
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
