'use strict'

// The development server: a handle on the Rust server that is linked into the same binary.

const fs = require('node:fs/promises')
const path = require('node:path')
const { badOption } = require('./errors')
const { Fault } = require('./faults')
const native = require('./native')
const { devServerOptions, nodeNumber } = require('./options')
const { expiryOptions, passwordChange } = require('./protection')
const { ASYNC_DISPOSE } = require('./session-store')

/**
 * Tells a running server something: a Command of devserver/src/control.rs.
 * @param {import('./native-types').DevServerHandle} handle
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

class DevServer {
  #handle
  #port
  #hosts
  /** @type {Readonly<import('../dev-server').DevServerTls> | undefined} */
  #tls
  /** @type {Promise<void> | undefined} */
  #stopping

  /**
   * @param {symbol} key
   * @param {import('./native-types').DevServerHandle} [handle]
   * @param {import('../dev-server').DevServerNode[]} [nodes]
   */
  constructor (key, handle, nodes) {
    if (key !== KEY || handle === undefined || nodes === undefined) throw new TypeError('use await DevServer.start()')
    this.#handle = handle
    const tls = native.devServerTls(handle)
    this.#tls = tls === null ? undefined : Object.freeze(JSON.parse(tls))
    this.#hosts = nodes.map(({ address }) => address).join(',')
    this.#port = Number(nodes[0].address.slice(nodes[0].address.lastIndexOf(':') + 1))
  }

  /** @param {import('../dev-server').DevServerOptions} [options] */
  static async start (options) {
    const handle = await native.startDevServer(JSON.stringify(devServerOptions(options)))
    const server = new DevServer(KEY, handle, await control(handle, { command: 'nodes' }))
    running.add(server)
    return server
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

  /** @param {string} directory */
  async writeTlsFiles (directory) {
    if (this.#tls === undefined) throw badOption("the dev server was started without option 'tls'")
    await fs.mkdir(directory, { recursive: true })
    /** @type {[keyof import('../dev-server').DevServerTlsFiles, string | undefined, number][]} */
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
    await control(this.#handle, { command: 'setPassword', ...passwordChange(user, password) })
  }

  /** @param {{ disconnect?: boolean }} [options] */
  async expireSessions (options) {
    await control(this.#handle, { command: 'expireSessions', ...expiryOptions(options) })
  }

  /** @returns {Promise<import('../dev-server').DevServerNode[]>} */
  nodes () {
    return control(this.#handle, { command: 'nodes' })
  }

  /** @param {number} node */
  async stopNode (node) {
    await control(this.#handle, { command: 'stopNode', node: nodeNumber(node) })
  }

  /** @param {number} node */
  async startNode (node) {
    await control(this.#handle, { command: 'startNode', node: nodeNumber(node) })
  }

  async settled () {
    await control(this.#handle, { command: 'settled' })
  }

  /** @param {import('../dev-server').FaultOptions} fault */
  async inject (fault) {
    const { id } = await control(this.#handle, { command: 'inject', fault })
    return new Fault(command => control(this.#handle, command), id)
  }

  /** @returns {Promise<import('../dev-server').FaultInfo[]>} */
  faults () {
    return control(this.#handle, { command: 'faults' })
  }

  async clearFaults () {
    await control(this.#handle, { command: 'clearFaults' })
  }

  /** @param {number} [node] */
  freeze (node) {
    return this.inject({ kind: 'freeze', node })
  }

  /** @param {number} [node] */
  async thaw (node) {
    await control(this.#handle, { command: 'clearFaults', kind: 'freeze', node })
  }

  /**
   * @param {string} namespace
   * @param {import('../dev-server').NamespaceSettings} settings
   */
  async configure (namespace, settings) {
    await control(this.#handle, { command: 'configure', namespace, settings })
  }

  async stop () {
    running.delete(this)
    await (this.#stopping ??= native.stopDevServer(this.#handle))
  }

  [ASYNC_DISPOSE] () {
    return this.stop()
  }
}

const KEY = Symbol('start')
/** @type {Set<DevServer>} those not stopped: they go on although nobody may hold them any more */
const running = new Set()

module.exports = { DevServer }
