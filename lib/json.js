'use strict'

// Session data to JSON text. What JSON.stringify does, we do.

const { badData, tooBig } = require('./errors')
const { kind } = require('./validate')

/**
 * UTF-16 units: JSON that no record can hold, however it is kept. The core knows exactly (LARGEST_RECORD in
 * src/cluster/mod.rs); this is what need not even be handed over, while everything waits.
 */
const LONGEST_JSON = 6 * 8 * 1_024 ** 2

/**
 * @param {any} data
 * @returns {string}
 * @throws {import('./errors').AerospikeSessionError} BAD_DATA, TOO_BIG
 */
function stringify (data) {
  if (!isPlain(data)) {
    const what = typeof data === 'object' || data === undefined ? kind(data) : `a ${typeof data}`
    throw badData(`session data must be a plain object, not ${what}`)
  }
  let json
  try {
    json = JSON.stringify(data)
  } catch (cause) {
    // A BigInt, a cycle, a toJSON that throws.
    throw badData('session data cannot be turned into JSON', unquoted(cause))
  }
  // A toJSON of the data's own may return anything at all.
  if (typeof json !== 'string') throw badData('session data cannot be turned into JSON')
  if (json.length > LONGEST_JSON) throw tooBig()
  return json
}

/**
 * Whether a value has the form of session data.
 * @param {any} data
 */
function isPlain (data) {
  return typeof data === 'object' && data !== null && !Array.isArray(data)
}

/**
 * V8 tells of a cycle by the keys that lead to it, and keys are data. What the application's own code throws is its own.
 * @param {unknown} cause
 */
function unquoted (cause) {
  if (!(cause instanceof TypeError) || !cause.message.startsWith(CYCLE)) return cause
  return new TypeError(CYCLE)
}

const CYCLE = 'Converting circular structure to JSON'

module.exports = { isPlain, stringify, unquoted }
