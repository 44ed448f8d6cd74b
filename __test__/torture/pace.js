'use strict'

// Sends requests at a steady rate, whether earlier ones have been answered or not. Each sender waits for its turn.

const TICK = 5

class Pace {
  #rate
  #credit = 0
  #last = 0
  /** @type {(() => void)[]} */
  #waiting = []
  /** @type {NodeJS.Timeout | undefined} */
  #timer
  #isOver = false
  /** Turns that no sender used: there are too few visitors, or the machine is too slow. */
  missed = 0

  /** @param {number} rate per second */
  constructor (rate) {
    this.#rate = rate
  }

  start () {
    this.#last = performance.now()
    this.#timer = setInterval(() => this.#tick(), TICK)
  }

  #tick () {
    const now = performance.now()
    this.#credit += (now - this.#last) / 1_000 * this.#rate
    this.#last = now
    const due = Math.floor(this.#credit)
    this.#credit -= due
    const taken = this.#waiting.splice(0, due)
    // Missed turns are not made up for, because they would come all at once.
    this.missed += due - taken.length
    for (const go of taken) go()
  }

  /** @returns {Promise<void>} */
  turn () {
    if (this.#isOver) return Promise.resolve()
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  stop () {
    this.#isOver = true
    clearInterval(this.#timer)
    for (const go of this.#waiting.splice(0)) go()
  }
}

module.exports = { Pace }
