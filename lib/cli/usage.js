'use strict'

// Parses the arguments of all commands. A UsageError is a mistake in them, as opposed to a failure of the command.

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
    // The first sentence says what is wrong. The rest of Node.js's message does not apply here.
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
