'use strict'

// Measures how long this process could not run, because that is not the store's fault on a busy machine. A timer that is late
// shows stalls of the event loop. For other threads the kernel (Linux) reports the time in which a thread was ready to run, but
// no core was free.

const fs = require('node:fs')

/** Milliseconds between two checks of the event loop, and between two of the threads. */
const TICK = 20
const THREADS_TICK = 200
/** Milliseconds for which stalls are kept. */
const MEMORY = 20_000
const TASKS = '/proc/self/task'

class Stalls {
  /** @type {{ from: number, to: number }[]} */
  #loop = []
  /** @type {{ at: number, waited: Map<string, number> }[]} */
  #threads = []
  #due = performance.now() + TICK

  constructor () {
    setInterval(() => this.#lookAtLoop(), TICK).unref()
    if (fs.existsSync(`${TASKS}/${process.pid}/schedstat`)) setInterval(() => this.#lookAtThreads(), THREADS_TICK).unref()
  }

  #lookAtLoop () {
    const now = performance.now()
    if (now - this.#due > TICK / 4) this.#loop.push({ from: this.#due, to: now })
    while (this.#loop.length > 0 && this.#loop[0].to < now - MEMORY) this.#loop.shift()
    this.#due = now + TICK
  }

  #lookAtThreads () {
    const waited = new Map()
    for (const thread of fs.readdirSync(TASKS)) {
      try {
        const nanoseconds = Number(fs.readFileSync(`${TASKS}/${thread}/schedstat`, 'latin1').split(' ')[1])
        waited.set(thread, nanoseconds / 1e6)
      } catch {
        // The thread has just ended.
      }
    }
    const at = performance.now()
    this.#threads.push({ at, waited })
    while (this.#threads[0].at < at - MEMORY) this.#threads.shift()
  }

  /**
   * Returns the milliseconds in which the event loop was blocked between two times.
   * @param {number} from
   * @param {number} to
   */
  ofLoop (from, to) {
    return this.#loop.reduce((sum, stall) => sum + Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)), 0)
  }

  /**
   * Returns the longest wait of a thread for a core around a time, in milliseconds.
   * @param {number} time
   */
  ofThreads (time) {
    const before = this.#threads.findLast(({ at }) => at < time - THREADS_TICK) ?? this.#threads[0]
    const after = this.#threads.find(({ at }) => at >= time) ?? this.#threads.at(-1)
    if (before === undefined || after === undefined) return 0
    return Math.max(0, ...Array.from(after.waited, ([thread, waited]) => waited - (before.waited.get(thread) ?? waited)))
  }
}

/** Milliseconds after which all stalls so far are known. */
const KNOWN_AFTER = THREADS_TICK + 2 * TICK

module.exports = { KNOWN_AFTER, Stalls }
