'use strict'

// The options of renew() and renewal().

const { badOption } = require('../errors')
const { names, seconds } = require('./validate')

/** Seconds. A page and what it loads are usually there by then, also on a slow network. */
const DEFAULT_GRACE = 30
/** Seconds. */
const DEFAULT_EVERY = 900

/**
 * Checks the options of `renew`.
 *
 * @param {any} [options]
 * @returns {{ grace: number }} in milliseconds
 */
function renewOptions (options = {}) {
  names(options, ['grace'])
  return { grace: milliseconds('grace', options.grace ?? DEFAULT_GRACE) }
}

/**
 * Checks the options of `renewal`.
 *
 * @param {any} [options]
 * @returns {{ every: number, grace: number }} in milliseconds
 */
function renewalOptions (options = {}) {
  names(options, ['every', 'grace'])
  const every = milliseconds('every', options.every ?? DEFAULT_EVERY)
  const grace = options.grace === undefined ? Math.min(DEFAULT_GRACE * 1_000, every) : milliseconds('grace', options.grace)
  // Otherwise a session would have many ids at once, and each would lead to the next.
  if (grace > every) throw badOption("option 'grace' must not be longer than option 'every'")
  return { every, grace }
}

/**
 * @param {string} option
 * @param {any} value in seconds
 */
function milliseconds (option, value) {
  return Math.ceil(seconds(option, value) * 1_000)
}

module.exports = { renewOptions, renewalOptions }
