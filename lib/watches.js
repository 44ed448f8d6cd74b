'use strict'

// The watched sessions of a connection. The core checks them. JavaScript has only the AbortController of each watch, and does
// nothing for a session until it has ended.

const { elapsed, setImmediate } = require('./clock')
const { inNoContext } = require('./bridge/no-context')
const native = require('./bridge/native')

const DISPOSE = Symbol.dispose ?? Symbol.for('nodejs.dispose')
/** Milliseconds of listeners per turn of the event loop. */
const AT_ONE_GO = 1

/**
 * @typedef {import('./bridge/native-types').StoreHandle} StoreHandle
 * @typedef {'gone' | 'expired'} Reason
 */

/**
 * The connections with a watch. A watch holds its store, as a pending request does: the application may hold neither, and only
 * have added a listener to the signal.
 * @type {Set<Watches>}
 */
const held = new Set()
/** The number of the last watch. */
let last = 0

class Watches {
  #handle
  /** @type {Map<number, AbortController>} */
  #controllers = new Map()

  /** @param {StoreHandle} handle of the connection */
  constructor (handle) {
    this.#handle = handle
  }

  /**
   * @param {StoreHandle} view
   * @param {string} id
   * @param {boolean} touch
   */
  add (view, id, touch) {
    const number = ++last
    const controller = new AbortController()
    native.watch(view, number, id, touch)
    this.#controllers.set(number, controller)
    held.add(this)
    const stop = () => {
      if (this.#take(number) !== undefined) native.unwatch(this.#handle, number)
    }
    return { signal: controller.signal, stop, [DISPOSE]: stop }
  }

  /**
   * Removes a watch. Returns its controller, or undefined if it was stopped or has ended.
   * @param {number} number
   */
  #take (number) {
    const controller = this.#controllers.get(number)
    this.#controllers.delete(number)
    if (this.#controllers.size === 0) held.delete(this)
    return controller
  }

  /**
   * Aborts the signals of watches whose sessions have ended.
   *
   * @param {number[]} gone
   * @param {number[]} expired
   */
  end (gone, expired) {
    inNoContext(() => {
      this.#abort(gone, 'gone')
      this.#abort(expired, 'expired')
    })
  }

  /**
   * Listeners may be slow, and many sessions may end together. So the event loop gets a turn in between.
   *
   * @param {number[]} numbers
   * @param {Reason} reason
   */
  #abort (numbers, reason) {
    const until = elapsed() + AT_ONE_GO
    for (const [n, number] of numbers.entries()) {
      if (n > 0 && elapsed() > until) {
        setImmediate(() => this.#abort(numbers.slice(n), reason))
        return
      }
      // Node.js reports what a listener throws as an uncaught exception. The other listeners are called anyway.
      this.#take(number)?.abort(reason)
    }
  }

  /** Ends all watches without aborting a signal. */
  stop () {
    for (const number of this.#controllers.keys()) native.unwatch(this.#handle, number)
    this.#controllers.clear()
    held.delete(this)
  }
}

module.exports = { Watches }
