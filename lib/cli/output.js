'use strict'

// The one place where commands write to standard output and standard error. It makes lines and JSON safe for terminals.
//
// If the reader closes the pipe early, as head does, the command continues and its exit code reports the result. If output
// cannot be written for another reason, such as a full device, the exit code is 3.

const { printable, printableJson } = require('../printable')

/** Exit code: the command was carried out, but its output could not be written. */
const UNWRITTEN = 3

/** @type {NodeJS.ErrnoException | undefined} the first error on standard output */
let failure

/** @param {NodeJS.ErrnoException} error */
function fail (error) {
  if (failure !== undefined) return
  failure = error
  if (error.code === 'EPIPE') return
  printError(`aerospike-session: the output cannot be written: ${error.message}`)
  process.on('exit', () => { process.exitCode = UNWRITTEN })
}

/** Handles errors of the standard streams. Call it before printing. */
function watch () {
  process.stdout.on('error', fail)
  // There is no other stream to report it on.
  process.stderr.on('error', () => {})
}

/** Returns true if output can no longer be written. */
function isClosed () {
  return failure !== undefined
}

/**
 * Writes text with colours or several lines. Text from outside must already have been made printable.
 * @param {string} text
 */
function write (text) {
  if (failure !== undefined) return
  try {
    process.stdout.write(text)
  } catch (error) {
    // Writes to a file are synchronous, and some versions of Node.js throw.
    fail(/** @type {NodeJS.ErrnoException} */ (error))
  }
}

/**
 * Prints a line of the result.
 * @param {string} line
 */
function print (line) {
  write(`${printable(line)}\n`)
}

/**
 * Prints the result as JSON.
 *
 * @param {any} value
 * @param {number} [indent]
 */
function printJson (value, indent) {
  write(`${printableJson(value, indent)}\n`)
}

/**
 * Prints a line that is not part of the result: a hint, a warning or an error.
 * @param {string} line
 */
function printError (line) {
  console.error(printable(line))
}

module.exports = { printError, isClosed, print, printJson, watch, write }
