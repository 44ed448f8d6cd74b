'use strict'

// The development server: a handle on the Rust server that is linked into the same binary.

const native = require('./native')
const { devServerOptions } = require('./options')
const { ASYNC_DISPOSE } = require('./session-store')

class DevServer {
  #handle
  #port
  #hosts
  /** @type {Promise<void> | undefined} */
  #stopping

  /**
   * @param {symbol} key
   * @param {import('./native-types').DevServerHandle} [handle]
   */
  constructor (key, handle) {
    if (key !== KEY || handle === undefined) throw new TypeError('use await DevServer.start()')
    this.#handle = handle
    this.#hosts = native.devServerAddress(handle)
    this.#port = Number(this.#hosts.slice(this.#hosts.lastIndexOf(':') + 1))
  }

  /** @param {import('../dev-server').DevServerOptions} [options] */
  static async start (options) {
    return new DevServer(KEY, await native.startDevServer(JSON.stringify(devServerOptions(options))))
  }

  get hosts () {
    return this.#hosts
  }

  get port () {
    return this.#port
  }

  /** @returns {Promise<import('../dev-server').DevServerNode[]>} */
  nodes () {
    return this.#control({ command: 'nodes' })
  }

  /**
   * @param {{ command: string, [field: string]: unknown }} command
   * @returns {Promise<any>}
   */
  async #control (command) {
    return JSON.parse(await native.controlDevServer(this.#handle, JSON.stringify(command)))
  }

  async stop () {
    await (this.#stopping ??= native.stopDevServer(this.#handle))
  }

  [ASYNC_DISPOSE] () {
    return this.stop()
  }
}

const KEY = Symbol('start')

module.exports = { DevServer }
