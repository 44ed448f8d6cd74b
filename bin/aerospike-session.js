#!/usr/bin/env node
'use strict'

// The command line. The commands are in lib/cli/.

const { main } = require('../lib/cli/main')
const { printError, watch } = require('../lib/cli/output')
const { UsageError } = require('../lib/cli/usage')

watch()
main(process.argv.slice(2)).catch(error => {
  const usage = error instanceof UsageError || error.code === 'BAD_OPTION'
  printError(`aerospike-session: ${error.message}${usage ? ' (see --help)' : ''}`)
  process.exitCode = usage ? 2 : 1
})
