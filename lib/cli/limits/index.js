'use strict'

// The commands `aerospike-session limits …`.

/** @type {import('../help').Group} */
module.exports = {
  summary: 'shows and resets the rate limits of a key',
  needs: 'needs a command: peek or reset',
  wrong: name => `'${name}' is nothing limits can do: there are peek and reset`,
  text: `  The commands take the options of the cluster: --hosts, --namespace and so on. The password of
  --user is taken from AEROSPIKE_PASSWORD. Keys are those that the application passes, such as a
  user name. Give the --prefix of the limiter; 'express:' and 'fastify:' are those of the stores
  for express-rate-limit and @fastify/rate-limit.

Exit codes: 0 done, 1 failed, 2 a mistake in the command line, 3 done, but the output cannot be
written.
`,
  commands: {
    peek: () => require('./peek'),
    reset: () => require('./reset')
  }
}
