'use strict'

const { print, printJson } = require('../output')
const { UsageError } = require('../usage')
const { keyOf, optionsOf, withLimiter } = require('./limiter')

/** @type {import('../help').Command} */
module.exports = {
  usage: 'limits peek KEY --limit POINTS --window SECONDS [options]',
  summary: 'shows how many points a key has left',
  text: `  Shows how many points the key has left, and consumes none. --limit and --window are those of
  the limiter: they are not stored.
`,
  ...optionsOf(
    { limit: { type: 'string' }, window: { type: 'string' }, sliding: { type: 'boolean' } },
    '  --limit POINTS      option limit of the limiter\n  --window SECONDS    option window of the limiter\n  --sliding           the limiter has type \'sliding\'\n'
  ),
  example: 'limits peek ada --prefix login-name: --limit 5 --window 60',
  async run ({ values, positionals }) {
    const key = keyOf('peek', positionals)
    for (const name of ['limit', 'window']) if (values[name] === undefined) throw new UsageError(`peek needs --${name}: that of the limiter`)
    await withLimiter(values, async limiter => {
      const { allowed, remaining, resetAt, retryAfter } = await limiter.peek(key)
      if (values.json) return printJson({ allowed, remaining, resetAt, retryAfter })
      const points = `${remaining} of ${values.limit} points left`
      if (!allowed) print(`${points}: refused for ${retryAfter} s`)
      else print(remaining === Number(values.limit) ? points : `${points}, all of them at ${resetAt.toISOString()}`)
    })
  }
}
