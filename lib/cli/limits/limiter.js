'use strict'

// What the commands for rate limits share: their options, and the limiter they work with.

const { EXIT_CODES, HELP, OPTIONS, hashIdsOption, storeOptions } = require('../store-options')
const { UsageError, number } = require('../usage')

/** The largest limit, and the longest window in seconds: those of lib/options/rate-limit.js. */
const MOST_POINTS = 100_000_000
const LONGEST_WINDOW = 31_536_000

/** The options of the cluster. --set and --prefix are about counters here, not about sessions. */
const CLUSTER_HELP = HELP
  .replace('(default sessions)', '(default ratelimits)')
  .replace('what the store puts before session ids (default: nothing)', 'option prefix of the limiter (default: nothing)')

/** @typedef {import('../../rate-limit/rate-limiter').RateLimiter} RateLimiter */

/**
 * Returns the options of a command, and their help.
 * @param {Record<string, { type: 'boolean' | 'string' }>} own
 * @param {string} help of its own options
 */
function optionsOf (own, help) {
  return {
    options: { ...OPTIONS, 'hash-ids': /** @type {const} */ ({ type: 'boolean' }), ...own },
    optionsHelp: `${CLUSTER_HELP}${help}  --hash-ids          the client has option hashIds: its secret is in AEROSPIKE_HASH_IDS\n  --json              the answer as JSON\n`,
    exitCodes: EXIT_CODES
  }
}

/**
 * Opens a limiter as the command line describes it, calls `work` and closes it.
 *
 * @param {Record<string, any>} values
 * @param {(limiter: RateLimiter) => Promise<void>} work
 */
async function withLimiter (values, work) {
  const { RateLimiter } = require('../../rate-limit/rate-limiter')
  const { SessionStore } = require('../../stores/session-store')
  const { set, prefix, ...cluster } = await storeOptions(values)
  const client = new SessionStore({ ...cluster, ...hashIdsOption(values) })
  client.on('warning', () => {})
  try {
    const limiter = new RateLimiter({
      client: /** @type {any} */ (client),
      limit: values.limit === undefined ? MOST_POINTS : number('limit', values.limit, 1, MOST_POINTS),
      window: values.window === undefined ? LONGEST_WINDOW : number('window', values.window, 1, LONGEST_WINDOW),
      type: values.sliding ? 'sliding' : 'fixed',
      ...(set === undefined ? {} : { set }),
      ...(prefix === undefined ? {} : { prefix })
    })
    await client.ready()
    await work(limiter)
  } finally {
    await client.close()
  }
}

/**
 * Returns the key of a command.
 *
 * @param {string} command
 * @param {string[]} positionals
 */
function keyOf (command, [key, stray]) {
  if (key === undefined) throw new UsageError(`${command} needs a key`)
  if (stray !== undefined) throw new UsageError(`${command} takes no argument '${stray}'`)
  return key
}

module.exports = { MOST_POINTS, keyOf, optionsOf, withLimiter }
