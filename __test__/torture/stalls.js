'use strict'

// How long this process could not run: on a busy machine that is nobody's fault. The event loop's stalls are found by a
// timer that is late; those of the other threads the kernel tells (Linux), as time in which a thread was ready to run
// and no core was free.

const fs = require('node:fs')

/** Milliseconds between two looks at the event loop, and between two at the threads. */
const TICK = 20
const THREADS_TICK = 200
/** Milliseconds that are remembered. */
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
        // It has just ended.
      }
    }
    const at = performance.now()
    this.#threads.push({ at, waited })
    while (this.#threads[0].at < at - MEMORY) this.#threads.shift()
  }

  /**
   * Milliseconds in which the event loop stood still, between two times.
   * @param {number} from
   * @param {number} to
   */
  ofLoop (from, to) {
    return this.#loop.reduce((sum, stall) => sum + Math.max(0, Math.min(to, stall.to) - Math.max(from, stall.from)), 0)
  }

  /**
   * Milliseconds that one thread, the one that had to most, has waited for a core around a time.
   * @param {number} time
   */
  ofThreads (time) {
    const before = this.#threads.findLast(({ at }) => at < time - THREADS_TICK) ?? this.#threads[0]
    const after = this.#threads.find(({ at }) => at >= time) ?? this.#threads.at(-1)
    if (before === undefined || after === undefined) return 0
    return Math.max(0, ...Array.from(after.waited, ([thread, waited]) => waited - (before.waited.get(thread) ?? waited)))
  }
}

/** Milliseconds after which all that happened by now is known. */
const KNOWN_AFTER = THREADS_TICK + 2 * TICK

module.exports = { KNOWN_AFTER, Stalls }
