'use strict'

// Counts the instructions of a fixed workload (examples/counted.rs) with callgrind and compares them with the numbers in
// benches/instructions.json. This detects slowdowns even on a busy machine. It runs only if the numbers are comparable: Linux on
// x86_64, the same version of Rust, and valgrind installed. `--update` writes new numbers.

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { ROOT, ScriptError, runMain } = require('./build')

const FILE = path.join(ROOT, 'benches/instructions.json')
/** The share by which a count may differ from the recorded one. */
const TOLERANCE = 0.05
/** The cost of an operation is the difference of two runs, so that starting and exiting the program cancel out. */
const [FEW, MANY] = [640, 1_920]

/**
 * @param {string} command
 * @param {string[]} args
 */
function run (command, args) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' })
  if (error || status !== 0) throw new ScriptError(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`)
  return stdout + stderr
}

/** Returns why the counts are not comparable here; undefined if they are. */
function obstacle () {
  const { toolchain } = JSON.parse(fs.readFileSync(FILE, 'utf8'))
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'they hold on Linux on x86_64 only'
  if (spawnSync('valgrind', ['--version']).error) return 'there is no valgrind on this machine'
  const found = /^rustc (\d+\.\d+)/.exec(run('rustc', ['--version']))?.[1]
  if (found !== toolchain) return `they hold for Rust ${toolchain} only, and this is ${found}`
}

function buildCounted () {
  const messages = run('cargo', ['build', '--release', '--example', 'counted', '--message-format', 'json'])
  const executable = /"executable":"([^"]*counted[^"]*)"/.exec(messages)?.[1]
  if (executable === undefined) throw new ScriptError('cargo built no examples/counted')
  return executable
}

/**
 * Returns the instructions of one operation.
 * @param {string} executable
 * @param {string} work
 */
function count (executable, work) {
  const [few, many] = [FEW, MANY].map(times => {
    const output = run('valgrind', ['--tool=callgrind', '--callgrind-out-file=/dev/null', executable, work, String(times)])
    const collected = /Collected : (\d+)/.exec(output)
    if (collected === null) throw new ScriptError(`callgrind counted nothing: ${output}`)
    return Number(collected[1])
  })
  return Math.round((many - few) / (MANY - FEW))
}

/** @returns {{ passed: number, failed: number, skipped?: string[] }} */
function checkInstructions () {
  const reason = obstacle()
  if (reason !== undefined) return { passed: 0, failed: 0, skipped: [`the counts of instructions: ${reason}`] }
  const executable = buildCounted()
  const result = { passed: 0, failed: 0 }
  for (const [work, expected] of Object.entries(JSON.parse(fs.readFileSync(FILE, 'utf8')).counts)) {
    const counted = count(executable, work)
    const off = counted / expected - 1
    const ok = Math.abs(off) <= TOLERANCE
    result[ok ? 'passed' : 'failed'] += 1
    const change = `${off < 0 ? '' : '+'}${(off * 100).toFixed(1)} %`
    console.log(`${ok ? 'ok    ' : 'FAILED'} ${work}: ${counted} instructions, ${expected} written down (${change})`)
  }
  if (result.failed > 0) console.log('If that is meant: node scripts/instructions.js --update, and say why in the commit.')
  return result
}

function update () {
  const executable = buildCounted()
  const written = JSON.parse(fs.readFileSync(FILE, 'utf8'))
  for (const work of Object.keys(written.counts)) written.counts[work] = count(executable, work)
  written.toolchain = /^rustc (\d+\.\d+)/.exec(run('rustc', ['--version']))?.[1]
  fs.writeFileSync(FILE, `${JSON.stringify(written, null, 2)}\n`)
  console.log(written)
}

if (require.main === module) {
  runMain(() => {
    if (process.argv.includes('--update')) return update()
    const { failed, skipped = [] } = checkInstructions()
    for (const reason of skipped) console.log(`Skipped: ${reason}`)
    if (failed > 0) process.exitCode = 1
  })
}

module.exports = { checkInstructions }
