'use strict'

// The processes of the site, and their checks: no crash, no operation over its deadline, no growth of memory or open files, and
// no process that does not exit.

const { setTimeout: pass } = require('node:timers/promises')
const { Child } = require('./child')

/** Bytes by which a process may grow after its first samples. */
const GROWTH = 64 * 2 ** 20
/** The number of samples, one per second, that set the initial level. */
const EARLY = 10
/** Open files that a process may have in addition to its connections to nodes and visitors. */
const FILES = 100
/** Milliseconds after which an operation counts as never ending: much longer than any timeout. */
const FOREVER = 12_000
/** Milliseconds within which a process must exit after it was asked to. */
const EXIT_TIMEOUT = 10_000
/** Milliseconds within which a watch must report the end of its session, after all faults. */
const WATCH_PATIENCE = 10_000

/**
 * @typedef {{ operations: number, pending: number, oldest: number, longest: Record<string, number>, unseen: Record<string, number>,
 *   late: { operation: string, ms: number, code?: string }[], ended: { number: number, reason: string }[], memory: number,
 *   files: number }} Look
 */

class Site {
  #ledger
  /** @type {Child[]} */
  #children = []
  /** The most memory and open files of each process in the first samples. @type {{ looks: number, memory: number, files: number }[]} */
  #early = []
  /** @type {(Look | undefined)[]} */
  #last = []

  /** @param {import('./ledger').Ledger} ledger */
  constructor (ledger) {
    this.#ledger = ledger
  }

  /** The last samples of the processes. */
  get last () {
    return this.#last.filter(look => look !== undefined)
  }

  /**
   * @param {number} processes
   * @param {{ hosts: string, set: string, format: 'map' | 'json' | 'mixed', timeout: number, tombstones: boolean, maxSessionsPerUser: number,
   *   plant: string | undefined }} options
   * @returns {Promise<number[]>} their ports
   */
  async open (processes, options) {
    for (let n = 0; n < processes; n++) {
      this.#children.push(new Child('site-process.js', how => this.#ledger.violation('a process of the site crashed', how)))
      this.#early.push({ looks: 0, memory: 0, files: 0 })
    }
    return Promise.all(this.#children.map((child, n) => {
      const format = options.format === 'mixed' ? ['map', 'json'][n % 2] : options.format
      return child.ask('open', { ...options, format })
    }))
  }

  /** Checks the processes about once a second. */
  async look () {
    const looks = await Promise.all(this.#children.map(child => child.ask('look').catch(() => undefined)))
    for (const [n, look] of looks.entries()) if (look !== undefined) this.#check(n, look)
  }

  /**
   * @param {number} n
   * @param {Look} look
   */
  #check (n, look) {
    this.#last[n] = look
    for (const { number, reason } of look.ended) this.#ledger.watchEnded(number, reason)
    for (const { operation, ms, code } of look.late) {
      this.#ledger.violation('a store operation over its deadline', `${operation} in process ${n + 1} took ${ms.toFixed(0)} ms${code === undefined ? '' : `, and failed with ${code}`}`)
    }
    if (look.oldest > FOREVER) {
      this.#ledger.violation('a store operation never ended', `process ${n + 1}: ${look.pending} are pending, the oldest for ${look.oldest.toFixed(0)} ms`)
    }
    const early = this.#early[n]
    if (early.looks++ < EARLY) {
      early.memory = Math.max(early.memory, look.memory)
      early.files = Math.max(early.files, look.files)
      return
    }
    if (look.memory > 1.5 * early.memory + GROWTH) {
      this.#ledger.violation('memory grows', `process ${n + 1}: ${mib(look.memory)} MiB, after ${mib(early.memory)} in the beginning`)
      early.memory = look.memory
    }
  }

  /** Waits until no session is watched any more that is gone. Reports those that still are. */
  async checkWatches () {
    const until = performance.now() + WATCH_PATIENCE
    for (;;) {
      await this.look()
      const watched = await Promise.all(this.#children.map(child => child.ask('watched').catch(() => [])))
      const left = watched.flat().filter(number => this.#ledger.isGone(number))
      if (left.length === 0) return
      if (performance.now() > until) return this.#ledger.violation('a watch did not end with its session', `sessions ${left.slice(0, 10).join(', ')}`)
      await pass(500)
    }
  }

  /**
   * Ends the processes. Each must exit by itself, with nothing left to do.
   * @param {number} connections of visitors, at the most
   * @param {number} nodes
   */
  async close (connections, nodes) {
    await Promise.all(this.#children.map(async (child, n) => {
      if (!child.isRunning) return
      const most = FILES + connections + nodes * CONNECTIONS_PER_NODE
      const { files } = this.#last[n] ?? { files: 0 }
      if (files > most) this.#ledger.violation('files are left open', `process ${n + 1}: ${files}`)
      try {
        const { pending } = await child.ask('close', { clear: n === 0 })
        if (pending > 0) this.#ledger.violation('a store operation never ended', `process ${n + 1}: ${pending} pending`)
      } catch (error) {
        this.#ledger.violation('a process of the site did not close', /** @type {Error} */ (error).message)
      }
      const code = await child.end(EXIT_TIMEOUT)
      if (code !== 0) this.#ledger.violation('a process of the site did not end', `process ${n + 1}: ${code}; ${child.lastOutput}`)
    }))
  }

  /** Kills the processes after another failure. */
  async kill () {
    await Promise.all(this.#children.map(child => child.kill()))
  }
}

/** The store's default for `maxConnsPerNode`. */
const CONNECTIONS_PER_NODE = 64

/** @param {number} bytes */
function mib (bytes) {
  return (bytes / 2 ** 20).toFixed(0)
}

module.exports = { Site, mib }
