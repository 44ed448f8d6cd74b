'use strict'

// The torture test in short: nothing is lost on a dev server with every fault, and saboteurs in the site are detected and
// reported.

const { execFile } = require('node:child_process')
const path = require('node:path')

const TORTURE = path.join(__dirname, './index.js')

/** Runs the torture test on its own dev server. Returns its exit code and its output. */
function torture (...args) {
  const { AEROSPIKE_HOSTS, ...env } = process.env
  return new Promise(resolve => {
    execFile(process.execPath, [TORTURE, '--quiet', ...args], { env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }))
  })
}

/** Returns the violated rules, as the report names them. */
function violations (stdout) {
  return Array.from(new Set(Array.from(stdout.matchAll(/^VIOLATION: (.*)$/gm), ([, rule]) => rule)))
}

test('nothing is lost, undone, late or left behind', async () => {
  const { code, stdout, stderr } = await torture('--seed', '1', '--seconds', '60', '--requests-per-second', '300', '--format', 'mixed')
  expect({ violations: violations(stdout), stderr }).toEqual({ violations: [], stderr: '' })
  expect(stdout).toMatch(/Nothing was lost, undone, late or left behind\.\n$/)
  expect(code).toBe(0)
}, 180_000)

describe('detects a saboteur:', () => {
  const cases = [
    // Either may be detected first.
    ['forget-baseline', 'none', 40, ['an acknowledged write was lost', 'a logout was undone']],
    ['swallow-failures', 'full', 40, ['an acknowledged write was lost', 'a session was lost']],
    ['ignore-destroy-errors', 'code', 60, ['a logout was undone']],
    // These two are detected at the end.
    ['forget-limit', 'none', 15, ['more sessions than the limit']],
    ['mute-watches', 'none', 15, ['a watch did not end with its session']],
    ['ignore-old-ids', 'none', 60, ['a logout was undone']],
    ['lose-watches', 'none', 60, ['a watch ended, and its session did not']]
  ]
  test.each(cases)('%s', async (plant, only, seconds, rules) => {
    const { code, stdout } = await torture('--plant', plant, '--only', only, '--seed', '1', '--seconds', String(seconds), '--requests-per-second', '300')
    expect(violations(stdout).some(found => rules.includes(found))).toBe(true)
    // With the session's history, but without its id.
    expect(stdout).not.toMatch(/connect\.sid|s%3A/)
    expect(code).toBe(1)
  }, 240_000)
})

test('invalid arguments are explained', async () => {
  const { code, stderr } = await torture('--only', 'nothing')
  expect(stderr).toMatch(/^--only does not know 'nothing': it takes kill, bounce, freeze/)
  expect(code).toBe(1)
})
