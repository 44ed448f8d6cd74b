'use strict'

// The doctor: looks at a cluster as sessions need it, and says what to do.
//
// - collect.js: everything it looks at, as facts (facts.js); with reach.js, clock.js, smoke-test.js and formats.js.
// - judges/: what the facts mean, as findings (finding.js). Pure: facts in, findings out.
// - print.js: findings and facts for people.

const { collect } = require('./collect')
const { clock } = require('./checks/clock')
const { cluster } = require('./checks/cluster')
const { connection } = require('./checks/connection')
const { namespace } = require('./checks/namespace')
const { sessions } = require('./checks/sessions')
const { report } = require('./print')

/**
 * @param {import('./facts').Facts} facts
 * @returns {import('./finding').Finding[]}
 */
function check (facts) {
  return [connection, cluster, namespace, clock, sessions].flatMap(check => check(facts))
}

module.exports = { collect, check, report }
