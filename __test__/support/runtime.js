'use strict'

// Which runtime the tests run on. What a runtime cannot do is in docs/runtimes.md, with the same reason.

const runtime = process.versions.bun !== undefined ? 'bun' : process.versions.deno !== undefined ? 'deno' : 'node'

/**
 * Returns `test`, or `test.skip` on these runtimes.
 * @param {string[]} runtimes that cannot do it
 * @param {string} reason
 */
function except (runtimes, reason) {
  if (reason === '') throw new Error('a reason is needed')
  return runtimes.includes(runtime) ? test.skip : test
}

/**
 * Returns an error output without what the runtime itself says of dependencies: Bun has no option that hides their deprecations.
 * @param {string} text
 */
function withoutDeprecations (text) {
  if (runtime !== 'bun') return text
  return text.replace(/^\(node:\d+\) \[DEP\d+\] DeprecationWarning: .*\n(?:\(Use .*\n)?/gm, '').trim()
}

module.exports = { except, runtime, withoutDeprecations }
