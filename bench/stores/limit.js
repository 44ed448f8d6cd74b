'use strict'

// The bare Rust loop (examples/limit.rs), which shows how fast the same work could be.

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const readline = require('node:readline')
const { ROOT, ScriptError } = require('../../scripts/build')
const { makeSession, sessionIds } = require('../session')

function build () {
  const { status, error } = spawnSync('cargo', ['build', '--release', '--quiet', '--example', 'limit'], {
    cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit']
  })
  if (error || status !== 0) throw new ScriptError('The bare Rust loop could not be built; --no-limit leaves it out.')
}

class Limit {
  #process
  #answers

  /**
   * @param {string} hosts
   * @param {string} set
   */
  constructor (hosts, set) {
    build()
    const target = process.env.CARGO_TARGET_DIR ?? path.join(ROOT, 'target')
    this.#process = spawn(path.join(target, 'release/examples/limit'), [hosts, set], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#answers = readline.createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  /** @param {object} order */
  async #ask (order) {
    this.#process.stdin.write(`${JSON.stringify(order)}\n`)
    const { value, done } = await this.#answers.next()
    if (done) throw new ScriptError('The bare Rust loop ended early.')
    return JSON.parse(value)
  }

  /** @param {number} size */
  async fill (size) {
    const { cookie, ...session } = makeSession(size)
    await this.#ask({ order: 'fill', session, count: sessionIds(size).length })
  }

  /**
   * @param {{ depth: number, mix: import('./visitors').Mix, seconds: number }} load
   * @param {boolean} batched
   */
  measure ({ depth, mix, seconds }, batched) {
    return this.#ask({ order: 'measure', depth, mix, seconds, batched })
  }

  async end () {
    await this.#ask({ order: 'clear' })
    const gone = once(this.#process, 'exit')
    this.#process.stdin.end()
    await gone
  }
}

module.exports = { Limit }
