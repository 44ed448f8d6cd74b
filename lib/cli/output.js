'use strict'

// What commands print. A reader that closes the pipe early, as head does, has enough: a command goes on, and its exit code
// says what came of it. Output that cannot be written for another reason, such as a full device, is a failure of its own.

/** Exit code: done, but not told. Codes 1 and 2 say other things. */
const UNWRITTEN = 3

/** @type {NodeJS.ErrnoException | undefined} what keeps the output from being written */
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
  // There is nowhere left to say it.
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

/** Whether nothing that is printed from now on is read. */
function isClosed () {
  return failure !== undefined
}

module.exports = { isClosed, print, watch, write }
