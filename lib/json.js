'use strict'

// Session data to JSON text. What JSON.stringify does, we do.

const { badData } = require('./errors')
const { kind } = require('./validate')

/**
 * @param {any} data
 * @returns {string}
 * @throws {import('./errors').AerospikeSessionError} BAD_DATA
 */
function stringify (data) {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    const what = typeof data === 'object' ? kind(data) : `a ${typeof data}`
    throw badData(`session data must be a plain object, not ${what}`)
  }
  let json
  try {
    json = JSON.stringify(data)
  } catch (cause) {
    // A BigInt, a cycle, a toJSON that throws.
    throw badData('session data cannot be turned into JSON', cause)
  }
  // A toJSON of the data's own may return anything at all.
  if (typeof json !== 'string') throw badData('session data cannot be turned into JSON')
  return json
}

module.exports = { stringify }
