'use strict'

// The store as the site uses it, with a stopwatch on every operation. What is measured is what express-session waits
// for: from the call to the callback. Time in which the whole process stood still (a busy machine) is not the store's.

/** Milliseconds an operation may take beyond its deadline. */
const TOLERANCE = 50
/** Milliseconds. */
const TICK = 20
/** Stalls that are remembered. */
const STALLS = 500
/** Operations that were late and are told. */
const TOLD = 20

/** When the event loop stood still, found by a timer that was late. */
class Stalls {
  /** @type {{ from: number, to: number }[]} */
  #found = []
  #due = performance.now() + TICK

  constructor () {
    setInterval(() => {
      const now = performance.now()
      if (now - this.#due > TICK / 4) this.#found.push({ from: this.#due, to: now })
      if (this.#found.length > STALLS) this.#found.shift()
      this.#due = now + TICK
    }, TICK).unref()
  }

  /**
   * Milliseconds of it between two times.
   * @param {number} from
   * @param {number} to
   */
  between (from, to) {
    return this.#found.reduce((sum, stall) => sum + Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)), 0)
  }
}

class Stopwatch {
  #timeout
  #stalls = new Stalls()
  counts = { operations: 0, pending: 0 }
  /** Milliseconds, by operation. @type {Record<string, number>} */
  longest = {}
  /** @type {{ operation: string, ms: number, code: string | undefined }[]} */
  late = []

  /** @param {number} timeout milliseconds */
  constructor (timeout) {
    this.#timeout = timeout
  }

  /** @param {string} operation */
  start (operation) {
    const from = performance.now()
    this.counts.operations++
    this.counts.pending++
    return (/** @type {any} */ error) => {
      this.counts.pending--
      const to = performance.now()
      if (to - from <= Math.max(this.#timeout / 2, this.longest[operation] ?? 0)) {
        this.longest[operation] = Math.max(this.longest[operation] ?? 0, to - from)
        return
      }
      // The timer that finds stalls may be about to.
      setTimeout(() => this.#judge(operation, from, to, error?.code), 2 * TICK)
    }
  }

  /**
   * @param {string} operation
   * @param {number} from
   * @param {number} to
   * @param {string | undefined} code
   */
  #judge (operation, from, to, code) {
    const ms = to - from - this.#stalls.between(from, to)
    this.longest[operation] = Math.max(this.longest[operation] ?? 0, ms)
    // A walk over all sessions of a user is many operations.
    const isBounded = operation !== 'destroyOf'
    if (isBounded && ms > this.#timeout + TOLERANCE && this.late.length < TOLD) this.late.push({ operation, ms, code })
  }
}

/**
 * @param {import('./plants').StoreClass} Store
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
