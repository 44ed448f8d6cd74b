'use strict'

// Measures every operation of the site's store, from the call to the callback, as express-session waits for it. Time in which
// the process had no core to run on does not count.

const { KNOWN_AFTER, Stalls } = require('./stalls')

/** Milliseconds that an operation may take beyond its deadline. */
const TOLERANCE = 50
/** The number of late operations that are reported. */
const MAX_REPORTED = 20

class Stopwatch {
  #timeout
  #stalls = new Stalls()
  /** The start times of operations in flight. @type {Set<{ from: number }>} */
  #pending = new Set()
  operations = 0
  /** Milliseconds, by operation. @type {Record<string, number>} */
  longest = {}
  /** @type {{ operation: string, ms: number, code: string | undefined }[]} */
  late = []

  /** @param {number} timeout milliseconds */
  constructor (timeout) {
    this.#timeout = timeout
  }

  get pending () {
    return this.#pending.size
  }

  /** Returns for how many milliseconds the oldest operation has been in flight. */
  get oldest () {
    const [first] = this.#pending
    return first === undefined ? 0 : performance.now() - first.from
  }

  /** @param {string} operation */
  start (operation) {
    const from = performance.now()
    const pending = { from }
    this.operations++
    this.#pending.add(pending)
    return (/** @type {any} */ error) => {
      this.#pending.delete(pending)
      const to = performance.now()
      if (to - from <= Math.max(this.#timeout / 2, this.longest[operation] ?? 0)) {
        this.longest[operation] = Math.max(this.longest[operation] ?? 0, to - from)
        return
      }
      setTimeout(() => this.#check(operation, from, to, error?.code), KNOWN_AFTER)
    }
  }

  /**
   * @param {string} operation
   * @param {number} from
   * @param {number} to
   * @param {string | undefined} code
   */
  #check (operation, from, to, code) {
    const ms = to - from - this.#stalls.ofLoop(from, to) - (to - from > this.#timeout ? this.#stalls.ofThreads(to) : 0)
    this.longest[operation] = Math.max(this.longest[operation] ?? 0, ms)
    // A scan of a user's sessions consists of many operations.
    const isBounded = operation !== 'destroyOf'
    if (isBounded && ms > this.#timeout + TOLERANCE && this.late.length < MAX_REPORTED) this.late.push({ operation, ms, code })
  }
}

/**
 * @param {import('./saboteurs').StoreClass} Store
 * @param {Stopwatch} watch
 */
function measured (Store, watch) {
  /**
   * @param {string} operation
   * @param {any} callback
   */
  const timed = (operation, callback) => {
    const stop = watch.start(operation)
    return (/** @type {any} */ error, /** @type {any} */ value) => {
      stop(error)
      callback?.(error, value)
    }
  }
  return class extends Store {
    /**
     * @param {any} sid
     * @param {any} callback
     */
    get (sid, callback) {
      return super.get(sid, timed('get', callback))
    }

    /**
     * @param {any} sid
     * @param {any} session
     * @param {any} callback
     */
    set (sid, session, callback) {
      return super.set(sid, session, timed('set', callback))
    }

    /**
     * @param {any} sid
     * @param {any} session
     * @param {any} callback
     */
    touch (sid, session, callback) {
      return super.touch(sid, session, timed('touch', callback))
    }

    /**
     * @param {any} sid
     * @param {any} callback
     */
    destroy (sid, callback) {
      return super.destroy(sid, timed('destroy', callback))
    }

    /**
     * @param {any} sid
     * @param {any} id
     * @param {any} session
     * @param {any} grace
     * @param {any} callback
     */
    renewTo (sid, id, session, grace, callback) {
      return super.renewTo(sid, id, session, grace, timed('renew', callback))
    }

    /**
     * @param {any} user
     * @returns {Promise<number>}
     */
    async destroyOf (user) {
      const stop = watch.start('destroyOf')
      try {
        const count = await super.destroyOf(user)
        stop(null)
        return count
      } catch (error) {
        stop(error)
        throw error
      }
    }
  }
}

module.exports = { Stopwatch, measured }
