'use strict'

// The process that loads a site at a fixed rate, on few keep-alive connections.

const http = require('node:http')
const { performance } = require('node:perf_hooks')
const { serve } = require('../child')
const { quantiles } = require('../medians')
const { pace } = require('../pace')

/**
 * @param {http.RequestOptions} options
 * @returns {Promise<number | undefined>} the status, after the whole page has arrived
 */
function getPage (options) {
  return new Promise((resolve, reject) => {
    http.get(options, response => {
      response.on('error', reject).on('end', () => resolve(response.statusCode)).resume()
    }).on('error', reject)
  })
}

serve({
  /** @param {{ url: string, page: string, cookies: string[], rate: number, connections: number, seconds: number }} options */
  async load ({ url, page, cookies, rate, connections, seconds }) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: connections, scheduling: 'fifo' })
    const { hostname, port } = new URL(url)
    const requests = Math.max(1, Math.round(rate * seconds))
    const durations = new Float64Array(requests)
    let next = 0
    const begun = performance.now()
    await pace(1_000 / rate, (_, started) => started >= requests, async () => {
      // Measured from here, not from when it was due: a delay of this process is not the site's. Waiting for a free connection counts.
      const [n, sent] = [next++, performance.now()]
      const status = await getPage({ agent, hostname, port, path: `/${page}`, headers: { cookie: cookies[n % cookies.length] } })
      if (status !== 200) throw new Error(`${url}/${page} answered ${status}`)
      durations[n] = performance.now() - sent
    })
    const took = performance.now() - begun
    agent.destroy()
    const [p50, p99, longest] = quantiles(durations, [0.5, 0.99, 1])
    return { perSecond: requests / took * 1_000, p50, p99, longest }
  }
})
