'use strict'

const operations = require('../../operations')
const { REMOVING, optionsOf, printRemoved, refuse, scan, withStore } = require('./store')

/** @type {import('../help').Command} */
module.exports = {
  usage: 'sessions prune [options]',
  summary: 'removes sessions that have ended but are still stored',
  text: `  Removes sessions that have ended but are still stored, and prints how many. They are there
  only in a namespace that refuses TTLs (nsup-period 0): elsewhere the server removes them.
  Reads the header of every record in the set.
`,
  ...optionsOf(REMOVING),
  example: 'sessions prune --dry-run --namespace sessions --hosts db1:3000',
  async run ({ values, positionals: [stray] }) {
    refuse('prune', stray)
    const dryRun = values['dry-run'] === true
    await withStore(values, async store => {
      let found = 0
      for await (const page of scan(store, ask => ask(operations.prune, dryRun), page => page, () => `${found} ${dryRun ? 'found' : 'removed'}`)) found += page
      printRemoved(values, found)
      return undefined
    })
  }
}
