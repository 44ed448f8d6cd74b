'use strict'

// The development server: a handle for the Rust server, which is linked into the same binary.

const fs = require('node:fs/promises')
const path = require('node:path')
const { AerospikeSessionError, badOption } = require('../errors')
const { Fault } = require('./faults')
const native = require('../bridge/native')
const { announce } = require('../warnings')
const { devServerOptions, nodeNumber } = require('../options/options')
const { expiryOptions, passwordChange } = require('./security-options')
const { ASYNC_DISPOSE } = require('../stores/session-store')

/**
 * Sends a command to a running server (Command in devserver/src/control_commands.rs).
 * @param {import('../bridge/native-types').DevServerHandle} handle
 * @param {{ command: string, [field: string]: unknown }} command
 * @returns {Promise<any>}
 */
async function control (handle, command) {
  try {
    return JSON.parse(await native.controlDevServer(handle, JSON.stringify(command)))
  } catch (/** @type {any} */ error) {
    throw error.code === 'InvalidArg' ? badOption(error.message) : error
  }
}

/** The error of Linux, macOS and Windows for a port that is in use. */
const IN_USE = /\(os error (98|48|10048)\)/

/**
 * @param {Error} error of a server that could not be started
 * @param {{ host: string, port: number }} options
 */
function explain (error, { host, port }) {
  if (!IN_USE.test(error.message)) return error
  const message = `${host}:${port} is in use: choose another one, or leave out option 'port' for any that is free`
  return Object.assign(new Error(message, { cause: error }), { code: 'EADDRINUSE' })
}

class DevServer {
  #handle
  #port
  #hosts
  #warnings
  /** @type {Readonly<import('../../exports/dev-server').DevServerTls> | undefined} */
  #tls
  /** @type {Promise<void> | undefined} */
  #stopping

  /**
   * @param {symbol} key
   * @param {import('../bridge/native-types').DevServerHandle} [handle]
   * @param {import('../../exports/dev-server').DevServerNode[]} [nodes]
   * @param {string[]} [warnings]
   */
  constructor (key, handle, nodes, warnings = []) {
    if (key !== KEY || handle === undefined || nodes === undefined) throw new TypeError('use await DevServer.start()')
    this.#handle = handle
    const tls = native.devServerTls(handle)
    this.#tls = tls === null ? undefined : Object.freeze(JSON.parse(tls))
    this.#warnings = Object.freeze(warnings)
    this.#hosts = nodes.map(({ address }) => address).join(',')
    this.#port = Number(nodes[0].address.slice(nodes[0].address.lastIndexOf(':') + 1))
  }

  /** @param {import('../../exports/dev-server').DevServerOptions} [options] */
  static start (options) {
    return start(options, message => announce({ code: 'DATA_DAMAGED', message }))
  }

  /**
   * @param {{ command: string, [field: string]: unknown }} command
   * @returns {Promise<any>}
   */
  async #control (command) {
    if (this.#stopping !== undefined) throw new AerospikeSessionError({ code: 'CLOSED', message: 'the dev server was stopped' })
    return control(this.#handle, command)
  }

  get hosts () {
    return this.#hosts
  }

  get port () {
    return this.#port
  }

  get tls () {
    return this.#tls
  }

  get warnings () {
    return this.#warnings
  }

  /** @param {string} directory */
  async writeTlsFiles (directory) {
    if (this.#tls === undefined) throw badOption("the dev server was started without option 'tls'")
    await fs.mkdir(directory, { recursive: true })
    /** @type {[keyof import('../../exports/dev-server').DevServerTlsFiles, string | undefined, number][]} */
    const files = [['cafile', this.#tls.ca, 0o644], ['certfile', this.#tls.cert, 0o644], ['keyfile', this.#tls.key, 0o600]]
    const written = []
    for (const [name, pem, mode] of files) {
      if (pem === undefined) continue
      const file = path.resolve(directory, name.replace('file', '.pem'))
      await fs.writeFile(file, pem, { mode })
      written.push([name, file])
    }
    return Object.fromEntries(written)
  }

  /**
   * @param {string} user
   * @param {string} password
   */
  async setPassword (user, password) {
    await this.#control({ command: 'setPassword', ...passwordChange(user, password) })
  }

  /** @param {{ disconnect?: boolean }} [options] */
  async expireSessions (options) {
    await this.#control({ command: 'expireSessions', ...expiryOptions(options) })
  }

  /** @returns {Promise<import('../../exports/dev-server').DevServerNode[]>} */
  nodes () {
    return this.#control({ command: 'nodes' })
  }

  /** @param {number} node */
  async stopNode (node) {
    await this.#control({ command: 'stopNode', node: nodeNumber(node) })
  }

  /** @param {number} node */
  async startNode (node) {
    await this.#control({ command: 'startNode', node: nodeNumber(node) })
  }

  async settled () {
    await this.#control({ command: 'settled' })
  }

  /** @param {import('../../exports/dev-server').FaultOptions} fault */
  async inject (fault) {
    const { id } = await this.#control({ command: 'inject', fault })
    return new Fault(command => this.#control(command), id)
  }

  /** @returns {Promise<import('../../exports/dev-server').FaultInfo[]>} */
  faults () {
    return this.#control({ command: 'faults' })
  }

  async clearFaults () {
    await this.#control({ command: 'clearFaults' })
  }

  /** @param {number} [node] */
  freeze (node) {
    return this.inject({ kind: 'freeze', node })
  }

  /** @param {number} [node] */
  async thaw (node) {
    await this.#control({ command: 'clearFaults', kind: 'freeze', node })
  }

  /**
   * @param {string} namespace
   * @param {import('../../exports/dev-server').NamespaceSettings} settings
   */
  async configure (namespace, settings) {
    await this.#control({ command: 'configure', namespace, settings })
  }

  async stop () {
    running.delete(this)
    await (this.#stopping ??= native.stopDevServer(this.#handle))
  }

  [ASYNC_DISPOSE] () {
    return this.stop()
  }
}

/**
 * @param {import('../../exports/dev-server').DevServerOptions | undefined} options
 * @param {(warning: string) => void} onWarning called with each warning
 */
async function start (options, onWarning) {
  const checked = devServerOptions(options)
  const handle = await native.startDevServer(JSON.stringify(checked)).catch(error => { throw explain(error, checked) })
  const nodes = await control(handle, { command: 'nodes' })
  const server = new DevServer(KEY, handle, nodes, await control(handle, { command: 'warnings' }))
  running.add(server)
  server.warnings.forEach(onWarning)
  return server
}

const KEY = Symbol('start')
/** @type {Set<DevServer>} servers that are not stopped: held here, so that they run on although nothing else references them */
const running = new Set()

module.exports = { DevServer, start }
