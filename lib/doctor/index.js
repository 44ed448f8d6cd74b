'use strict'

// The doctor checks that a cluster is set up for sessions and explains any problems.
//
// - collect.js collects facts (facts.js), with reach.js, clock.js, smoke-test.js and formats.js.
// - checks/ turns facts into findings (finding.js), without I/O.
// - print.js prints findings and facts.

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
