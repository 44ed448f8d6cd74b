'use strict'

// Compares the responses of two servers.

const { isDeepStrictEqual } = require('node:util')

/** @typedef {import('./history').Outcome} Outcome */

/** Seconds by which two TTLs may differ: histories run one after the other, and clocks round. */
const TOLERANCE = 2

/**
 * Copies a value without its TTLs.
 * @param {any} value
 * @param {number[]} ttls receives the TTLs
 * @returns {any}
 */
function withoutTtls (value, ttls) {
  if (Array.isArray(value)) return value.map(item => withoutTtls(item, ttls))
  if (Object.prototype.toString.call(value) !== '[object Object]') return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => {
    if (name !== 'ttl' || typeof field !== 'number') return [name, withoutTtls(field, ttls)]
    ttls.push(field)
    // "Never" and a missing TTL are not durations.
    return [name, field > 0 && field < 2 ** 31 ? 'some' : field]
  }))
}

/** @param {Outcome} left @param {Outcome} right */
function isSame (left, right) {
  /** @type {number[][]} */
  const [leftTtls, rightTtls] = [[], []]
  return isDeepStrictEqual(withoutTtls(left, leftTtls), withoutTtls(right, rightTtls)) &&
    leftTtls.every((ttl, index) => Math.abs(ttl - rightTtls[index]) <= TOLERANCE)
}

module.exports = { isSame }
