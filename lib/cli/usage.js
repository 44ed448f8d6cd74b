'use strict'

// What all commands share: reading their arguments, and telling a mistake in them from a failure.

const { parseArgs } = require('node:util')

/** A mistake in the command line: exit code 2. */
class UsageError extends Error {}

/**
 * @template {import('node:util').ParseArgsConfig['options']} T
 * @param {string[]} args
 * @param {T} options
 */
function parse (args, options) {
  try {
    return parseArgs({ args, allowPositionals: true, options })
  } catch (error) {
    // The first sentence says what is wrong; Node's further advice is of no use here.
    throw new UsageError(/** @type {Error} */ (error).message.split(/\.\s/)[0])
  }
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} least
 * @param {number} most
 */
function number (name, text, least, most) {
  const value = Number(text)
  if (!/^\d{1,6}$/.test(text) || value < least || value > most) throw new UsageError(`--${name} takes a number from ${least} to ${most}`)
  return value
}

module.exports = { UsageError, number, parse }
