'use strict'

// The process that loads a site: autocannon, with separate visitors for each connection.

const { serve } = require('../child')
const { loadAutocannon } = require('../untyped')

const autocannon = loadAutocannon()

serve({
  /** @param {{ url: string, page: string, cookies: string[], seconds: number }} options */
  async load ({ url, page, cookies, seconds }) {
    const connections = 64
    let connection = 0
    const result = await autocannon({
      url,
      connections,
      duration: seconds,
      setupClient: (/** @type {any} */ client) => {
        const first = connection++ % connections
        const mine = cookies.filter((_, n) => n % connections === first)
        client.setRequests(mine.map(cookie => ({ method: 'GET', path: `/${page}`, headers: { cookie } })))
      }
    })
    const failed = result.errors + result.non2xx + result.timeouts
    if (failed > 0) throw new Error(`${failed} of ${result.requests.total} requests failed`)
    return { requests: result.requests.total, perSecond: result.requests.total / result.duration, p50: result.latency.p50, p99: result.latency.p99 }
  }
})
