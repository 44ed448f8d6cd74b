'use strict'

const { print, printJson } = require('../output')
const { MOST_POINTS, keyOf, optionsOf, withLimiter } = require('./limiter')

/** @type {import('../help').Command} */
module.exports = {
  usage: 'limits reset KEY [options]',
  summary: 'forgets what a key has consumed',
  text: `  Forgets what the key has consumed, so that it has all points again: for a user who was locked
  out by mistake.
`,
  ...optionsOf(
    { 'dry-run': { type: 'boolean' } },
    '  --dry-run           forget nothing: print whether the key has consumed points\n'
  ),
  example: 'limits reset ada --prefix login-name: --dry-run',
  async run ({ values, positionals }) {
    const key = keyOf('reset', positionals)
    const dryRun = values['dry-run'] === true
    await withLimiter(values, async limiter => {
      const existed = dryRun ? (await limiter.peek(key)).remaining < MOST_POINTS : await limiter.reset(key)
      if (values.json) return printJson(dryRun ? { wouldReset: existed } : { reset: existed })
      if (!existed) print('the key has no counter')
      else print(dryRun ? 'the counter of the key would be removed' : 'the counter of the key is removed')
    })
  }
}
