'use strict'

const operations = require('../../operations')
const { print, printJson } = require('../output')
const { checkUser, optionsOf, refuse, scan, withStore } = require('./store')

/** @typedef {import('./store').AerospikeStore} AerospikeStore */

/** @param {AerospikeStore} store */
async function countAll (store) {
  let found = 0
  for await (const page of scan(store, ask => ask(operations.length), page => page, () => `${found} sessions`)) found += page
  return found
}

/** @type {import('../help').Command} */
module.exports = {
  usage: 'sessions count [options]',
  summary: 'prints how many sessions there are',
  text: '  Prints how many sessions there are, or, with --of, how many a user has.\n',
  ...optionsOf(['hash-ids'], { of: { type: 'string' } }, '  --of USER           count the sessions of this user only\n'),
  example: 'sessions count --of ada --hosts db1:3000',
  async run ({ values, positionals: [stray] }) {
    refuse('count', stray)
    if (values.of !== undefined) checkUser(values.of)
    await withStore(values, async store => {
      const sessions = values.of === undefined ? await countAll(store) : await store.countOf(values.of)
      if (values.json) printJson({ sessions })
      else print(String(sessions))
      return sessions
    })
  }
}
