'use strict'

// Requests at a steady rate, whether earlier ones were answered or not: those who want to send one wait for their
// turn.

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
  /** Turns that nobody took: the visitors, or the machine, are too few. */
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
    // What is left over is not made up for, or the next would come all at once.
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
