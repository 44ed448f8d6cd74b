'use strict'

// Typical uses of Aerospike's clients by topic, as small programs with npm's `aerospike` and PyPI's (official-examples/).

const path = require('node:path')
const { describeUnless, nodeReason, pythonReason, runToEnd } = require('../support/official')
const { freshSet, hosts } = require('../support/server')
const { EXAMPLES } = require('./official-examples/main')

const program = name => path.join(__dirname, 'official-examples', name)
const topics = Object.keys(EXAMPLES)

describeUnless(nodeReason(), 'the official Node.js client', () => {
  test.each(topics)('%s', topic => runToEnd(process.execPath, [program('main.js'), hosts(), freshSet(), topic]))
})

describeUnless(pythonReason, 'the official Python client', () => {
  // Its warnings are about changes in future releases.
  test.each(topics)('%s', topic => runToEnd(process.env.TEST_PYTHON, ['-B', '-W', 'ignore', program('main.py'), hosts(), freshSet(), topic]))
})
