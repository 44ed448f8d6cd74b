'use strict'

// The SHA-256 digests of files that one job of a workflow passes to another. Every job of a run can replace the run's artifacts,
// but only the job itself can set its outputs. So the job that makes the files outputs their digests, and the jobs that use the
// files compare the digests first.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { ScriptError, runMain } = require('./build')

const USAGE = `Usage: node scripts/digests.js record OUTPUT FOLDER ENDING   sets an output of the step
       node scripts/digests.js verify FOLDER                 compares with the job outputs in DIGESTS, as JSON`

/** @param {string} file */
const digest = file => crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex')

/**
 * @param {string} folder
 * @param {string} ending of the names of the files to record, such as `.node`
 * @returns {Record<string, string>} digests by file name
 */
function record (folder, ending) {
  const files = fs.readdirSync(folder).filter(file => file.endsWith(ending)).sort()
  if (files.length === 0) throw new ScriptError(`There is no file in ${folder} whose name ends with ${ending}.`)
  return Object.fromEntries(files.map(file => [file, digest(path.join(folder, file))]))
}

/**
 * Throws unless a folder holds exactly the recorded files.
 * @param {string} folder
 * @param {Record<string, string>} outputs of the jobs: the results of `record` as JSON
 */
function verify (folder, outputs) {
  const expected = Object.assign({}, ...Object.values(outputs).map(output => JSON.parse(output || '{}')))
  if (Object.keys(expected).length === 0) throw new ScriptError('The job that made the files recorded no digests.')
  const found = record(folder, '')
  for (const file of Object.keys({ ...expected, ...found })) {
    if (found[file] === undefined) throw new ScriptError(`${file} is not in ${folder}.`)
    if (expected[file] === undefined) throw new ScriptError(`${file} is in ${folder}, but the job that made the files did not record it.`)
    if (found[file] !== expected[file]) {
      throw new ScriptError(`${file} has changed since it was made: its SHA-256 digest is ${found[file]}, and was ${expected[file]}.`)
    }
  }
  return Object.keys(expected).length
}

if (require.main === module) {
  runMain(() => {
    const [command, ...args] = process.argv.slice(2)
    const { DIGESTS, GITHUB_OUTPUT } = process.env
    if (command === 'record' && args.length === 3 && GITHUB_OUTPUT) {
      const [output, folder, ending] = args
      fs.appendFileSync(GITHUB_OUTPUT, `${output}=${JSON.stringify(record(folder, ending))}\n`)
    } else if (command === 'verify' && args.length === 1 && DIGESTS) {
      console.log(`${verify(args[0], JSON.parse(DIGESTS))} files are as they were made`)
    } else {
      throw new ScriptError(USAGE)
    }
  })
}

module.exports = { record, verify }
