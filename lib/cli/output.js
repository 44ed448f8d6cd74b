'use strict'

// The one place where commands write to standard output and standard error. Lines and JSON are made safe for terminals.
//
// If the reader closes the pipe early, as head does, a command goes on and its exit code reports the result. If output cannot be
// written for another reason, such as a full device, that is a failure of its own.

const { printable, printableJson } = require('../printable')

/** Exit code: the command was carried out, but its output is lost. Codes 1 and 2 have other meanings. */
const UNWRITTEN = 3

/** @type {NodeJS.ErrnoException | undefined} the first error of standard output */
let failure

/** @param {NodeJS.ErrnoException} error */
function fail (error) {
  if (failure !== undefined) return
  failure = error
  if (error.code === 'EPIPE') return
  complain(`aerospike-session: the output cannot be written: ${error.message}`)
  process.on('exit', () => { process.exitCode = UNWRITTEN })
}

/** To be called before anything is printed. */
function watch () {
  process.stdout.on('error', fail)
  // Nothing is left to report it on.
  process.stderr.on('error', () => {})
}

/** Whether nothing that is printed from now on is read. */
function isClosed () {
  return failure !== undefined
}

/**
 * Writes text that has colours or several lines. Whatever others wrote in it must be printable already.
 * @param {string} text
 */
function write (text) {
  if (failure !== undefined) return
  try {
    process.stdout.write(text)
  } catch (error) {
    // A file is written at once, and some versions of Node.js throw.
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
function complain (line) {
  console.error(printable(line))
}

module.exports = { complain, isClosed, print, printJson, watch, write }
