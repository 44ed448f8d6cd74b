'use strict'

// Child processes that are controlled over IPC. An unexpected exit is reported.

const { fork } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')

/** How many characters of a process's last output are kept. */
const LAST_WORDS = 4_000

/** In the parent: a child process and its methods. */
class Child {
  #process
  /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
  #waiting = new Map()
  #asked = 0
  #isEnding = false
  #lastOutput = ''

  /**
   * @param {string} file
   * @param {(how: string) => void} whenEnded called if the process exits unexpectedly
   */
  constructor (file, whenEnded) {
    this.#process = fork(path.join(__dirname, file), [], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      // The young generation has the same size on every version of Node.js, because the test checks the growth of the process's memory.
      execArgv: ['--unhandled-rejections=strict', '--max-semi-space-size=16'],
      env: { ...process.env, NODE_ENV: 'production' }
    })
    this.#process.stderr?.setEncoding('utf8').on('data', text => { this.#lastOutput = (this.#lastOutput + text).slice(-LAST_WORDS) })
    this.#process.on('message', (/** @type {any} */ { number, value, error }) => {
      const waiting = this.#waiting.get(number)
      this.#waiting.delete(number)
      if (error === undefined) waiting?.resolve(value)
      else waiting?.reject(new Error(error))
    })
    // Not 'exit', because the last output comes before 'close'.
    this.#process.on('close', (code, signal) => {
      const how = `${file} ended (${signal ?? code}) ${this.#lastOutput}`.trim()
      for (const { reject } of this.#waiting.values()) reject(new Error(how))
      this.#waiting.clear()
      if (!this.#isEnding) whenEnded(how)
    })
  }

  get isRunning () {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Returns the last output on stderr. */
  get lastOutput () {
    return this.#lastOutput
  }

  /**
   * @param {string} method
   * @param {object} [options]
   * @returns {Promise<any>}
   */
  ask (method, options = {}) {
    return new Promise((resolve, reject) => {
      if (!this.isRunning) return reject(new Error('the process has ended'))
      const number = this.#asked++
      this.#waiting.set(number, { resolve, reject })
      this.#process.send({ number, method, options })
    })
  }

  /** Kills the process like `kill -9`. */
  async kill () {
    this.#isEnding = true
    if (!this.isRunning) return
    const gone = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await gone
  }

  /**
   * Disconnects, and waits until nothing keeps the process alive.
   * @param {number} timeout milliseconds
   * @returns {Promise<number | NodeJS.Signals | null>} its exit code, or the signal if it had to be killed
   */
  async end (timeout) {
    this.#isEnding = true
    if (!this.isRunning) return this.#process.exitCode ?? this.#process.signalCode
    const gone = once(this.#process, 'exit')
    if (this.#process.connected) this.#process.disconnect()
    const killing = setTimeout(() => this.#process.kill('SIGKILL'), timeout)
    const [code, signal] = await gone
    clearTimeout(killing)
    return code ?? signal
  }
}

/**
 * In the child: answers with these methods. The process exits by itself after the parent has disconnected, if nothing else
 * keeps it alive.
 * @param {Record<string, (options: any) => any>} methods
 */
function serve (methods) {
  process.on('message', async (/** @type {any} */ { number, method, options }) => {
    let answer
    try {
      answer = { number, value: await methods[method](options) ?? null }
    } catch (error) {
      answer = { number, error: /** @type {any} */ (error)?.message ?? String(error) }
    }
    if (process.connected) process.send?.(answer)
  })
}

module.exports = { Child, serve }
