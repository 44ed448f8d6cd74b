'use strict'

// The command `aerospike-session doctor`. Its exit code is 1 if it finds a problem.

const { version } = require('../../package.json')
const { printJson, write } = require('./output')
const { HELP: STORE_HELP, OPTIONS, storeOptions } = require('./store-options')
const { UsageError, number } = require('./usage')

const TEXT = `  Connects as a store would, looks at the cluster, the namespace, the clocks and the set, and
  saves, reads, touches and removes throw-away sessions. Says what is wrong, and what to do.
`

/** @param {{ values: Record<string, any>, positionals: string[] }} parsed */
async function run ({ values, positionals: [stray] }) {
  if (stray !== undefined) throw new UsageError(`doctor takes no argument '${stray}'`)
  const rounds = number('rounds', values.rounds, 1, 100_000)
  const options = await storeOptions(values)
  const { collect, check, report } = require('../doctor')
  const { painter } = require('../doctor/print')
  const facts = await collect(options, { rounds })
  const findings = check(facts)
  if (values.json) printJson({ version, findings, facts }, 2)
  else write(report(facts, findings, painter(process.stdout)))
  if (findings.some(({ level }) => level === 'problem')) process.exitCode = 1
}

/** @type {import('./help').Command} */
module.exports = {
  usage: 'doctor [options]',
  summary: 'looks at a cluster as sessions need it, and says what to do',
  text: TEXT,
  options: { ...OPTIONS, rounds: { type: 'string', default: '100' } },
  optionsHelp: `${STORE_HELP}  --rounds N          throw-away sessions to save, read, touch and remove (default 100)
  --json              findings and facts as JSON
`,
  example: 'doctor --hosts db1:3000,db2:3000 --namespace sessions',
  exitCodes: `Exit codes: 0 no problem (there may be warnings and notes), 1 problems, 2 a mistake in the
command line, 3 the output cannot be written. docs/doctor.md explains every finding.
`,
  run
}
