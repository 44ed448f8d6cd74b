'use strict'

// Child processes that are controlled over IPC: they answer requests in order.

const { fork } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')

/** In the parent: a child process and its methods. */
class Child {
  #process
  /** @type {{ resolve: (value: any) => void, reject: (error: Error) => void }[]} */
  #waiting = []
  #failure = ''

  /**
   * @param {string} file
   * @param {string[]} args
   */
  constructor (file, args) {
    this.#process = fork(path.join(__dirname, file), args, {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      env: { ...process.env, NODE_ENV: 'production' },
      // Keeps NaN, which stands for values that this system cannot measure.
      serialization: 'advanced'
    })
    this.#process.stderr?.setEncoding('utf8').on('data', text => { this.#failure = (this.#failure + text).slice(-2_000) })
    this.#process.on('message', (/** @type {any} */ { value, error }) => {
      const waiting = this.#waiting.shift()
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(new Error(`${[file, ...args].join(' ')}: ${error}`))
    })
    this.#process.on('exit', (code, signal) => {
      const error = new Error(`${file} ${args[0] ?? ''} ended early (${signal ?? code}) ${this.#failure}`)
      for (const { reject } of this.#waiting.splice(0)) reject(error)
    })
  }

  /**
   * @param {string} method
   * @param {object} [options]
   * @returns {Promise<any>}
   */
  ask (method, options = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#process.send({ method, options })
    })
  }

  async end () {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.disconnect()
    const gone = once(this.#process, 'exit')
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5_000)
    await gone
    clearTimeout(timer)
  }
}

/**
 * In the child: answers with these methods until the parent disconnects.
 * @param {Record<string, (options: any) => any>} methods
 */
function serve (methods) {
  process.on('disconnect', () => process.exit())
  process.on('message', async (/** @type {any} */ { method, options }) => {
    try {
      process.send?.({ value: await methods[method](options) ?? null })
    } catch (error) {
      // The official client's errors may have a code but no message.
      const { code, message } = /** @type {any} */ (error) ?? {}
      process.send?.({ error: [code, message || String(error)].filter(part => part !== undefined).join(' ') })
    }
  })
}

module.exports = { Child, serve }
