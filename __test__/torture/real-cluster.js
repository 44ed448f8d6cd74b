'use strict'

// A real cluster. The user gives a command that kills, starts, freezes and thaws its nodes.

const net = require('node:net')
const { execFile } = require('node:child_process')
const { once } = require('node:events')
const { promisify } = require('node:util')
const { setTimeout: pass } = require('node:timers/promises')
const { ScriptError } = require('../../scripts/build')

/** Milliseconds that a cluster may take to settle after a change of its nodes. */
const SETTLE_TIMEOUT = 120_000
const INFO_HEADER = 8

/**
 * Sends an info command to one node.
 * @param {string} address host:port
 * @param {string} command
 * @returns {Promise<string>}
 */
async function info (address, command) {
  const colon = address.lastIndexOf(':')
  const socket = net.connect(Number(address.slice(colon + 1)), address.slice(0, colon))
  socket.setTimeout(1_000, () => socket.destroy(new Error('no answer')))
  try {
    await once(socket, 'connect')
    const text = Buffer.from(`${command}\n`)
    const header = Buffer.alloc(INFO_HEADER)
    header.writeBigUInt64BE(BigInt(text.length))
    header.set([2, 1])
    socket.write(Buffer.concat([header, text]))
    let answer = Buffer.alloc(0)
    for await (const chunk of socket) {
      answer = Buffer.concat([answer, chunk])
      if (answer.length < INFO_HEADER) continue
      if (answer.length >= INFO_HEADER + answer.readUIntBE(2, 6)) break
    }
    return answer.subarray(INFO_HEADER).toString().trim().split('\t')[1] ?? ''
  } finally {
    socket.destroy()
  }
}

class RealCluster {
  isDev = false
  isDurable = false
  #command

  /** @param {{ hosts: string, command: string | undefined }} options */
  constructor ({ hosts, command }) {
    this.hosts = hosts
    this.#command = command
    this.size = hosts.split(',').length
    this.hasNodes = command !== undefined
    this.name = `cluster at ${hosts}`
  }

  async open () {
    if (this.hasNodes) await this.settled()
  }

  /**
   * @param {string} action
   * @param {number} node from 0
   */
  async #do (action, node) {
    const [file, ...args] = String(this.#command).split(/\s+/).map(word => word.replace('{action}', action).replace('{node}', String(node + 1)))
    try {
      await promisify(execFile)(file, args)
    } catch (error) {
      throw new ScriptError(`--nodes: ${/** @type {Error} */ (error).message}`)
    }
  }

  /** @param {number} node */
  kill (node) { return this.#do('kill', node) }
  /** @param {number} node */
  start (node) { return this.#do('startone', node) }
  /** @param {number} node */
  freeze (node) { return this.#do('freeze', node) }
  /** @param {number} node */
  thaw (node) { return this.#do('thaw', node) }

  /** Waits until every node sees all of them, without migrations. */
  async settled () {
    const addresses = this.hosts.split(',')
    for (const end = Date.now() + SETTLE_TIMEOUT; Date.now() < end; await pass(200)) {
      const answers = await Promise.all(addresses.map(address => info(address, `cluster-stable:size=${this.size}`).catch(() => '')))
      if (answers.every(answer => /^[0-9A-F]+$/i.test(answer))) return
    }
    throw new ScriptError(`The cluster has not settled within ${SETTLE_TIMEOUT / 1_000} s.`)
  }

  async close () {}
}

module.exports = { RealCluster }
