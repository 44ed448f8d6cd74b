'use strict'

// The progress line of a long scan. It is shown on terminals only.

const { now } = require('../clock')
const { printable } = require('../printable')

/** Milliseconds before the line is shown. */
const SHOW_AFTER = 500

class Progress {
  #stream
  #started = now()
  #shown = false

  /** @param {NodeJS.WriteStream} [stream] */
  constructor (stream = process.stderr) {
    this.#stream = stream
  }

  /**
   * @param {number} done the share of the set that is scanned, from 0 to 1
   * @param {string} words
   */
  show (done, words) {
    if (!this.#stream.isTTY || now() - this.#started < SHOW_AFTER) return
    this.#shown = true
    this.#stream.write(`\r\x1b[K${Math.floor(done * 100)} % of the set looked at, ${printable(words)}`)
  }

  /** Erases the line, so that other output replaces it. */
  clear () {
    if (this.#shown) this.#stream.write('\r\x1b[K')
    this.#shown = false
  }
}

module.exports = { Progress }
