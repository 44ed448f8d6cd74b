'use strict'

// Turns session data into JSON, by the rules of JSON.stringify.

const { AerospikeSessionError, badData, tooBig } = require('./errors')
const { kind } = require('./options/validate')

/** UTF-16 units, each of which takes at least one byte. No record can hold a longer string. */
const LONGEST_STRING = 8 * 1_024 ** 2

/**
 * UTF-16 units. No record can hold longer JSON, in any format. The core checks the exact limit (LARGEST_RECORD in
 * src/cluster/mod.rs). This check comes first because passing a large string to the core blocks the event loop.
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
    // For example a BigInt, a cycle or a toJSON() that throws.
    throw badData('session data cannot be turned into JSON', unquoted(cause))
  }
  // The data's toJSON() may return any value.
  if (typeof json !== 'string') throw badData('session data cannot be turned into JSON')
  if (json.length > LONGEST_JSON) throw tooBig()
  return json
}

/**
 * Returns true if the data has a string that is too long by itself. This check is fast, while JSON.stringify would block the
 * event loop for a tenth of a second.
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
 * Returns true if a value is an object and not an array.
 * @param {any} data
 */
function isPlain (data) {
  return typeof data === 'object' && data !== null && !Array.isArray(data)
}

/**
 * Replaces V8's error for a cycle, because its message quotes keys, which are session data. Returns other errors unchanged.
 * @param {unknown} cause
 */
function unquoted (cause) {
  if (!(cause instanceof TypeError) || !cause.message.startsWith(CYCLE)) return cause
  return new TypeError(CYCLE)
}

const CYCLE = 'Converting circular structure to JSON'

module.exports = { isPlain, stringify, unquoted }
