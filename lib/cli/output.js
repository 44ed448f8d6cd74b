'use strict'

// Standard output of the commands. If the reader closes the pipe early, as head does, a command goes on and its exit code
// reports the result. If output cannot be written for another reason, such as a full device, that is a failure of its own.

/** Exit code: the command was carried out, but its output is lost. Codes 1 and 2 have other meanings. */
const UNWRITTEN = 3

/** @type {NodeJS.ErrnoException | undefined} the first error of standard output */
let failure

/** @param {NodeJS.ErrnoException} error */
function fail (error) {
  if (failure !== undefined) return
  failure = error
  if (error.code === 'EPIPE') return
  console.error(`aerospike-session: the output cannot be written: ${error.message}`)
  process.on('exit', () => { process.exitCode = UNWRITTEN })
}

/** To be called before anything is printed. */
function watch () {
  process.stdout.on('error', fail)
  // Nothing is left to report it on.
  process.stderr.on('error', () => {})
}

/** @param {string} text */
function write (text) {
  if (failure !== undefined) return
  try {
    process.stdout.write(text)
  } catch (error) {
    // A file is written at once, and some versions of Node.js throw.
    fail(/** @type {NodeJS.ErrnoException} */ (error))
  }
}

/** @param {string} line */
function print (line) {
  write(`${line}\n`)
}

/** Whether further output is lost. */
function isClosed () {
  return failure !== undefined
}

module.exports = { isClosed, print, watch, write }
