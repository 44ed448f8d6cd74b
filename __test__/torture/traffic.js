'use strict'

// Sends HTTP requests to the processes of the site, as a load balancer would.

const http = require('node:http')
const { clock } = require('./ledger')
const { Stalls } = require('./stalls')
const { HUNG } = require('./timeline')

/** Milliseconds that a request may take in addition to the timeouts of its store operations. */
const SLACK = 2_000
/** If this many later requests have been answered, a request counts as hung. Otherwise it waits for its turn on a busy machine. */
const OVERTAKING = 20
/** Milliseconds. */
const MOMENT = 1_000
/** The most store operations of a request. */
const OPERATIONS = 4

/**
 * @typedef {{ ok: boolean, seen?: any, cookie?: string, code?: string, message?: string }} Answer
 * ok: 2xx; seen: what the answer showed of the session; cookie: a new one
 */

class Traffic {
  #ledger
  #timeline
  #pace
  #random
  #bound
  /** When the last answered requests of each process were sent. @type {Map<number, number[]>} */
  #latest = new Map()
  #stalls = new Stalls()
  /** @type {number[]} */
  #ports = []
  #agent = new http.Agent({ keepAlive: true, maxSockets: Infinity })
  counts = { requests: 0, failed: 0, pending: 0, slowest: 0 }
  /** @type {Record<string, number>} */
  codes = {}

  /**
   * @param {{ ledger: import('./ledger').Ledger, timeline: import('./timeline').Timeline, pace: import('./pace').Pace,
   *   random: import('../../devserver/differential/random').Random, timeout: number }} options
   */
  constructor ({ ledger, timeline, pace, random, timeout }) {
    this.#ledger = ledger
    this.#timeline = timeline
    this.#pace = pace
    this.#random = random
    this.#bound = OPERATIONS * timeout + SLACK
  }

  /** @param {number[]} ports of the site's processes */
  aim (ports) {
    this.#ports = ports
  }

  /** Waits for its turn. */
  turn () {
    return this.#pace.turn()
  }

  /**
   * @param {'GET' | 'POST'} method
   * @param {string} path
   * @param {{ cookie?: string, wait?: number }} [options] wait: milliseconds that the site delays its answer
   * @returns {Promise<Answer>}
   */
  async send (method, path, { cookie, wait = 0 } = {}) {
    const sent = this.#ledger.now()
    const entry = this.#timeline.current
    const what = `${method} ${path}`
    this.counts.requests++
    this.counts.pending++
    if (entry !== undefined) entry.requests++
    const answer = await this.#exchange(method, path, cookie, this.#bound + wait)
    this.counts.pending--
    const ms = this.#ledger.now() - sent - wait
    this.counts.slowest = Math.max(this.counts.slowest, ms)
    if (answer.ok) this.#timeline.succeeded(entry, ms)
    else {
      const code = answer.code ?? 'none'
      this.counts.failed++
      this.codes[code] = (this.codes[code] ?? 0) + 1
      this.#timeline.failed(entry, sent, code, path.split('?', 1)[0], answer.message === undefined ? what : `${what} (${answer.message})`)
    }
    return answer
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string | undefined} cookie
   * @param {number} bound
   * @returns {Promise<Answer>}
   */
  #exchange (method, path, cookie, bound) {
    const port = this.#random.pick(this.#ports)
    return new Promise(resolve => {
      const begun = performance.now()
      const checkHang = () => {
        // A request does not count as hung if this process itself was blocked.
        const now = performance.now()
        const left = bound - (now - begun) + this.#stalls.ofLoop(begun, now)
        if (left > 1 || !this.#isOvertaken(port, begun)) {
          hung = setTimeout(checkHang, Math.max(left, MOMENT))
          return
        }
        const at = `sent at ${clock(this.#ledger.now() - bound)} to process ${this.#ports.indexOf(port) + 1}`
        this.#ledger.violation('a request hung', `${method} ${path} ${at} had no answer within ${bound} ms`)
        done({ ok: false, code: HUNG })
        request.destroy()
      }
      let hung = setTimeout(checkHang, bound)
      const done = (/** @type {Answer} */ answer) => {
        clearTimeout(hung)
        resolve(answer)
      }
      const request = http.request({ host: '127.0.0.1', port, method, path, agent: this.#agent, headers: cookie === undefined ? {} : { cookie } })
      request.on('error', (/** @type {any} */ error) => done({ ok: false, code: `HTTP ${error.code}` }))
      request.on('response', response => {
        let text = ''
        response.setEncoding('utf8').on('data', data => { text += data })
        response.on('error', (/** @type {any} */ error) => done({ ok: false, code: `HTTP ${error.code}` }))
        response.on('end', () => {
          this.#answered(port, begun)
          done(read(response, text))
        })
      })
      request.end()
    })
  }

  /**
   * Records an answered request.
   * @param {number} port
   * @param {number} sent
   */
  #answered (port, sent) {
    let latest = this.#latest.get(port)
    if (latest === undefined) this.#latest.set(port, latest = [])
    latest.push(sent)
    if (latest.length > OVERTAKING) latest.shift()
  }

  /**
   * Returns true if the process has answered later requests, or no process has answered at all.
   * @param {number} port
   * @param {number} sent
   */
  #isOvertaken (port, sent) {
    const latest = this.#latest.get(port) ?? []
    const later = latest.filter(one => one > sent)
    return later.length === OVERTAKING || later.length === 0
  }

  close () {
    this.#agent.destroy()
  }
}

/**
 * @param {http.IncomingMessage} response
 * @param {string} text
 * @returns {Answer}
 */
function read ({ statusCode, headers }, text) {
  let body
  try {
    body = JSON.parse(text)
  } catch {
    return { ok: false, code: `HTTP ${statusCode} without JSON` }
  }
  return { ok: statusCode === 200, seen: body.seen, code: body.code, message: body.message, cookie: headers['set-cookie']?.[0].split(';', 1)[0] }
}

module.exports = { Traffic }
