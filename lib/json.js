'use strict'

// Session data to JSON text. What JSON.stringify does, we do.

const { AerospikeSessionError, badData, tooBig } = require('./errors')
const { kind } = require('./options/validate')

/** UTF-16 units: a string that no record can hold. Each takes a byte at least. */
const LONGEST_STRING = 8 * 1_024 ** 2

/**
 * UTF-16 units: JSON that no record can hold, however it is kept. The core knows exactly (LARGEST_RECORD in
 * src/cluster/mod.rs); this is what need not even be handed over, while everything waits.
 */
const LONGEST_JSON = 6 * LONGEST_STRING

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
    if (holdsTooMuch(data)) throw tooBig()
    json = JSON.stringify(data)
  } catch (cause) {
    if (cause instanceof AerospikeSessionError) throw cause
    // A BigInt, a cycle, a toJSON that throws.
    throw badData('session data cannot be turned into JSON', unquoted(cause))
  }
  // A toJSON of the data's own may return anything at all.
  if (typeof json !== 'string') throw badData('session data cannot be turned into JSON')
  if (json.length > LONGEST_JSON) throw tooBig()
  return json
}

/**
 * Whether data holds a string that is too long by itself. Turning it into JSON takes a tenth of a second, in which nothing else
 * happens; this takes no time.
 *
 * @param {any} data
 */
function holdsTooMuch (data) {
  if (typeof data.toJSON === 'function') return false
  for (const key of Object.keys(data)) {
    const value = data[key]
    if (typeof value === 'string' && value.length > LONGEST_STRING) return true
  }
  return false
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
