'use strict'

// Shared code for the command lines of this repository's programs.

const { parseArgs } = require('node:util')
const { ScriptError } = require('./build')

/**
 * @template {NonNullable<import('node:util').ParseArgsConfig['options']>} T
 * @param {string[]} args
 * @param {T} options
 */
function parse (args, options) {
  try {
    return parseArgs({ args, options }).values
  } catch (error) {
    throw new ScriptError(`${/** @type {Error} */ (error).message} (see --help)`)
  }
}

/**
 * @param {string} option
 * @param {string} text
 * @param {number} least
 * @param {number} most
 */
function number (option, text, least, most) {
  const number = Number(text)
  if (text.trim() === '' || !(number >= least && number <= most)) {
    throw new ScriptError(`--${option} takes a number from ${least} to ${most}, not '${text}'.`)
  }
  return number
}

/**
 * @param {string} option
 * @param {string} text
 * @param {number} most
 */
function count (option, text, most) {
  const count = number(option, text, 1, most)
  if (!Number.isInteger(count)) throw new ScriptError(`--${option} takes whole numbers, not '${text}'.`)
  return count
}

/**
 * @param {string} option
 * @param {string} text
 * @param {string[]} known
 */
function choice (option, text, known) {
  if (!known.includes(text)) throw new ScriptError(`--${option} does not know '${text}': it takes ${known.join(', ')}.`)
  return text
}

/**
 * @param {string} option
 * @param {string} list separated by commas, or `none`
 * @param {string[]} known
 */
function choices (option, list, known) {
  return list === 'none' ? [] : list.split(',').map(one => choice(option, one, known))
}

module.exports = { choice, choices, count, number, parse }
