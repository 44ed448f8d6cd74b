'use strict'

// One line on the terminal that says how far a long scan is; nothing where there is no terminal.

const { now } = require('../clock')
const { printable } = require('../printable')

/** Milliseconds: what is over sooner needs no line. */
const PATIENCE = 500

class Progress {
  #stream
  #started = now()
  #shown = false

  /** @param {NodeJS.WriteStream} [stream] */
  constructor (stream = process.stderr) {
    this.#stream = stream
  }

  /**
   * @param {number} done the share that is done, from 0 to 1
   * @param {string} words
   */
  show (done, words) {
    if (!this.#stream.isTTY || now() - this.#started < PATIENCE) return
    this.#shown = true
    this.#stream.write(`\r\x1b[K${Math.floor(done * 100)} % of the set looked at, ${printable(words)}`)
  }

  /** Takes the line away: what is printed next stands in its place. */
  clear () {
    if (this.#shown) this.#stream.write('\r\x1b[K')
    this.#shown = false
  }
}

module.exports = { Progress }
