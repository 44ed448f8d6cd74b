'use strict'

// The one place where commands write to standard output and standard error. Lines and JSON are made safe for terminals.

const { printable, printableJson } = require('../printable')

/**
 * Prints a line of the result.
 * @param {string} line
 */
function print (line) {
  console.log(printable(line))
}

/**
 * Prints the result as JSON.
 *
 * @param {any} value
 * @param {number} [indent]
 */
function printJson (value, indent) {
  console.log(printableJson(value, indent))
}

/**
 * Prints a line that is not part of the result: a hint, a warning or an error.
 * @param {string} line
 */
function complain (line) {
  console.error(printable(line))
}

/**
 * Writes text that has colours or several lines. Whatever others wrote in it must be printable already.
 * @param {string} text
 */
function write (text) {
  process.stdout.write(text)
}

module.exports = { complain, print, printJson, write }
