'use strict'

// What Aerospike's own clients are used for, topic by topic, as small programs with the npm package
// `aerospike` and with PyPI's: official-examples/ has them.

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
  // Its warnings are about what the next releases will do.
  test.each(topics)('%s', topic => runToEnd(process.env.TEST_PYTHON, ['-B', '-W', 'ignore', program('main.py'), hosts(), freshSet(), topic]))
})
