'use strict'

// A cluster of three dev-server nodes that supports every fault.

const crypto = require('node:crypto')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Child } = require('./child')

/** Below the range for outgoing connections. Otherwise one of them could take a port while the cluster restarts. */
const PORTS = { least: 15_000, most: 30_000 }
/** The number of ports to try. */
const TRIES = 20
/** Enough for the sessions, and soon full. */
const MEMORY = '64m'

class DevCluster {
  size = 3
  isDev = true
  hasNodes = true
  hosts = ''
  #port = 0
  /** @type {string | undefined} */
  #folder
  /** @type {Child} */
  #process = /** @type {any} */ (undefined)

  /** @param {{ data: boolean, whenEnded: (how: string) => void }} options */
  constructor ({ data, whenEnded }) {
    this.isDurable = data
    this.whenEnded = whenEnded
  }

  get name () {
    return `dev server, ${this.size} nodes, replication factor 2${this.isDurable ? ', records in a file' : ''}`
  }

  async open () {
    if (this.isDurable) this.#folder = fs.mkdtempSync(path.join(os.tmpdir(), 'torture-'))
    for (let tries = 1; ; tries++) {
      this.#port = crypto.randomInt(PORTS.least, PORTS.most)
      try {
        return await this.startAll()
      } catch (error) {
        await this.#process.kill()
        if (tries === TRIES) throw error
      }
    }
  }

  async startAll () {
    this.#process = new Child('dev-server-process.js', this.whenEnded)
    const data = this.#folder === undefined ? undefined : path.join(this.#folder, 'data.sessions')
    this.hosts = await this.#process.ask('start', {
      port: this.#port, nodes: this.size, replicationFactor: 2, migrationTime: 1_000, memory: MEMORY, data
    })
  }

  killAll () { return this.#process.kill() }
  /** @param {number} node */
  kill (node) { return this.#process.ask('stopNode', { node }) }
  /** @param {number} node */
  start (node) { return this.#process.ask('startNode', { node }) }
  /** @param {number} node */
  freeze (node) { return this.inject({ kind: 'freeze', node }) }
  /** @param {number} node */
  async thaw (node) { await this.clear() }
  /** @param {import('../../exports/dev-server').FaultOptions} fault */
  inject (fault) { return this.#process.ask('inject', fault) }
  clear () { return this.#process.ask('clear') }
  /** @param {import('../../exports/dev-server').NamespaceSettings} settings */
  configure (settings) { return this.#process.ask('configure', settings) }
  fill () { return this.#process.ask('fill') }
  empty () { return this.#process.ask('empty') }
  settled () { return this.#process.ask('settled') }

  async close () {
    await this.#process.kill()
    if (this.#folder !== undefined) fs.rmSync(this.#folder, { recursive: true })
  }
}

module.exports = { DevCluster }
