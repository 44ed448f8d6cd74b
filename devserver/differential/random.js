'use strict'

// Pseudo-random numbers: the same seed gives the same numbers.

class Random {
  #state

  /** @param {string} seed */
  constructor (seed) {
    // FNV-1a, so that similar seeds start with different numbers.
    let hash = 0x811c9dc5
    for (const byte of Buffer.from(seed)) hash = Math.imul(hash ^ byte, 0x01000193)
    this.#state = hash
  }

  /** Returns a number from 0 to less than 1 (mulberry32). */
  next () {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /**
   * @param {number} least
   * @param {number} most inclusive
   */
  int (least, most) {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** Returns true with this probability. @param {number} share from 0 to 1 */
  chance (share) {
    return this.next() < share
  }

  /**
   * @template T
   * @param {readonly T[]} list
   * @returns {T}
   */
  pick (list) {
    return list[this.int(0, list.length - 1)]
  }

  /**
   * Calls one of the functions. The number before a function is its weight.
   * @param {[number, () => any][]} choices
   * @returns {any}
   */
  weighted (choices) {
    let left = this.next() * choices.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, choose] of choices) {
      left -= weight
      if (left < 0) return choose()
    }
    return choices[choices.length - 1][1]()
  }

  /**
   * @template T
   * @param {number} least
   * @param {number} most
   * @param {(index: number) => T} make
   */
  list (least, most, make) {
    return Array.from({ length: this.int(least, most) }, (_, index) => make(index))
  }

  /**
   * Calls each function with this probability, and returns their results as properties.
   * @param {number} share
   * @param {Record<string, () => any>} makers
   */
  some (share, makers) {
    /** @type {Record<string, any>} */
    const made = {}
    for (const [name, make] of Object.entries(makers)) if (this.chance(share)) made[name] = make()
    return made
  }
}

module.exports = { Random }
