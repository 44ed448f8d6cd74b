'use strict'

// Which fault was active when, and which requests failed during it. A failed request is a violation if there was no fault for
// long enough.

const { clock } = require('./ledger')

/** Milliseconds within which requests must succeed again after a fault; after a kill, also while the node is down. */
const RECOVERY = 3_000
/** Milliseconds without a failure after which the next fault may start. */
const QUIET = 700

/** Error codes that any fault may cause. */
const USUAL_CODES = ['UNAVAILABLE', 'TIMEOUT', 'OVERLOAD']

/** The code of a request without any answer. */
const HUNG = 'HUNG'

/**
 * @typedef {{ name: string, text: string, codes: string[], isBounded: boolean, began: number, ended: number,
 *   requests: number, failed: number, failures: Record<string, number>, lastDuring: number, lastAfter: number, slowest: number }} Entry
 * milliseconds; codes: expected in addition to the usual ones; failures: by route and code; lastDuring, lastAfter: when the last request that failed was sent, since the fault started, and since it
 * ended; 0 if none failed
 */

class Timeline {
  #ledger
  /** @type {Entry[]} */
  entries = []
  #lastFailure = -Infinity

  /** @param {import('./ledger').Ledger} ledger */
  constructor (ledger) {
    this.#ledger = ledger
  }

  /** The last fault, active or not. @returns {Entry | undefined} */
  get last () {
    return this.entries.at(-1)
  }

  /** The active faults. */
  get current () {
    const { last } = this
    return last !== undefined && this.#ledger.now() <= last.ended + RECOVERY ? last : undefined
  }

  /** @param {{ name: string, text: string, codes?: string[], isBounded?: boolean }} fault */
  begin ({ name, text, codes = [], isBounded = false }) {
    this.#ledger.faultBegins()
    this.entries.push({
      name, text, codes, isBounded, began: this.#ledger.now(), ended: Infinity, requests: 0, failed: 0, failures: {}, lastDuring: 0, lastAfter: 0, slowest: 0
    })
  }

  end () {
    this.#ledger.faultEnds()
    if (this.last) this.last.ended = this.#ledger.now()
  }

  /**
   * Records a successful request.
   * @param {Entry | undefined} entry what was wrong when it was sent
   * @param {number} ms
   */
  succeeded (entry, ms) {
    if (entry !== undefined) entry.slowest = Math.max(entry.slowest, ms)
  }

  /**
   * Records a failed request.
   * @param {Entry | undefined} at what was wrong when it was sent
   * @param {number} sent
   * @param {string} code
   * @param {string} route
   * @param {string} what the request and its error, in words
   */
  failed (at, sent, code, route, what) {
    this.#lastFailure = Math.max(this.#lastFailure, sent)
    // The faults that were active since the request was sent explain the failure.
    const { last } = this
    const entry = last !== undefined && sent < last.ended ? last : at
    const description = `${what} sent at ${clock(sent)} failed at ${clock(this.#ledger.now())} with ${code}`
    if (entry === undefined) return this.#ledger.violation('a request failed although nothing was wrong', `${description}; last fault: ${last?.text ?? 'none'}`)
    entry.failed++
    const failure = `${route} ${code}`
    entry.failures[failure] = (entry.failures[failure] ?? 0) + 1
    // The hang itself is already reported.
    if (![...USUAL_CODES, HUNG, ...entry.codes, ...at?.codes ?? []].includes(code)) {
      this.#ledger.violation('an error answer with an unexpected code', `${description}, during: ${entry.text}`)
    }
    const hasEnded = sent >= entry.ended
    if (hasEnded) entry.lastAfter = Math.max(entry.lastAfter, sent - entry.ended)
    else entry.lastDuring = Math.max(entry.lastDuring, sent - entry.began)
    if (!hasEnded && entry.isBounded && sent - entry.began > RECOVERY) {
      this.#ledger.violation('requests fail too long after a fault began', `${description}, ${clock(sent - entry.began)} after: ${entry.text}`)
    }
  }

  /** Returns true if no request has failed for a while. */
  get isQuiet () {
    const now = this.#ledger.now()
    return now - Math.max(this.#lastFailure, this.last?.ended ?? -Infinity) > QUIET || this.current === undefined
  }
}

module.exports = { HUNG, RECOVERY, Timeline }
