'use strict'

const operations = require('../../operations')
const { printError, isClosed, print, printJson } = require('../output')
const { UsageError } = require('../usage')
const { optionsOf, refuse, scan, withStore } = require('./store')

/** @typedef {import('./store').AerospikeStore} AerospikeStore */

/**
 * @param {AerospikeStore} store
 * @param {boolean} json
 */
async function list (store, json) {
  /** @type {string[]} */
  const all = []
  let [found, nameless] = [0, 0]
  // Both for the same page, to count the sessions that are stored without their id.
  const both = async (/** @type {(entry: any) => any} */ ask) => {
    const [ids, length] = await Promise.all([ask(operations.ids), ask(operations.length)])
    return { ids, length }
  }
  for await (const { ids, length } of scan(store, both, ({ length }) => length, () => `${found} ids`)) {
    found += ids.length
    // `length` may be smaller: the two requests run in parallel, and sessions may be saved in between.
    nameless += Math.max(0, length - ids.length)
    if (json) all.push(...ids)
    else for (const id of ids) print(id)
    // The reader has closed the pipe, as head does.
    if (isClosed()) return found + nameless
  }
  if (json) printJson({ ids: all, withoutId: nameless })
  if (nameless > 0) {
    printError(`${nameless} of ${found + nameless} sessions are not listed: the server knows the ids of those only that were stored with option storeIds.`)
  }
  return found + nameless
}

/** @type {import('../help').Command} */
module.exports = {
  usage: 'sessions list [options]',
  summary: 'prints the ids of all sessions',
  text: `  Prints the ids of all sessions, one per line. The server knows them only of sessions that
  were stored with option storeIds. An id is as good as a login: mind where it is printed to.
`,
  ...optionsOf(['hash-ids']),
  example: 'sessions list --json --hosts db1:3000 --set sessions',
  async run ({ values, positionals: [stray] }) {
    refuse('list', stray)
    if (values['hash-ids']) throw new UsageError('with option hashIds no session id is stored: there is nothing to list')
    await withStore(values, store => list(store, values.json === true), { storeIds: true })
  }
}
