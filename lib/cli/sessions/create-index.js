'use strict'

const { setTimeout } = require('../../clock')
const operations = require('../../operations')
const { print, printJson } = require('../output')
const { Progress } = require('../progress')
const { optionsOf, refuse, withStore } = require('./store')

/** Milliseconds between two looks at the progress. */
const INTERVAL = 250

/** @typedef {import('./store').AerospikeStore} AerospikeStore */

/**
 * Returns the least share of the indexes on bin `user` of the set that a node has built, from 0 to 1.
 * @param {AerospikeStore} store
 */
async function builtShare ({ connection }) {
  const { namespace, set } = connection.view
  const ask = (/** @type {string[]} */ commands) => /** @type {Promise<{ answers: Record<string, string> }[]>} */ (connection.request(operations.info, undefined, [commands]))
  const list = `sindex-list:namespace=${namespace};ns=${namespace}`
  const indexes = (await ask([list])).flatMap(({ answers }) => (answers[list] ?? '').split(';'))
  const names = indexes.filter(index => index.includes(`:set=${set}:`) && index.includes(':bin=user:')).map(index => /indexname=([^:]+)/.exec(index)?.[1])
  const [name] = names.filter(name => name !== undefined)
  if (name === undefined) return 0
  // The second is the command of servers before 8.1.
  const nodes = await ask([`sindex-stat:namespace=${namespace};indexname=${name}`, `sindex/${namespace}/${name}`])
  const shares = nodes.map(({ answers }) => Number(/load_pct=(\d+)/.exec(Object.values(answers).join(';'))?.[1] ?? 0) / 100)
  return Math.min(1, ...shares)
}

/**
 * Shows the progress on the terminal until the index is complete.
 * @param {AerospikeStore} store
 */
async function create (store) {
  const progress = new Progress()
  const done = Promise.resolve(store.createUserIndex()).then(() => true)
  const pause = () => new Promise(resolve => setTimeout(resolve, INTERVAL, false))
  try {
    while (!await Promise.race([done, pause()])) {
      // A look that fails is only a progress that is not shown.
      await builtShare(store).then(share => progress.show(share, 'index on bin user'), () => {})
    }
  } finally {
    progress.clear()
  }
}

/** @type {import('../help').Command} */
module.exports = {
  usage: 'sessions create-index [options]',
  summary: 'creates the index that finds the sessions of a user',
  text: `  Creates the index that finds the sessions of a user (bin user), and waits until it is complete.
  If it exists, it only waits. The login needs the privilege sindex-admin.
`,
  ...optionsOf([]),
  example: 'sessions create-index --hosts db1:3000 --namespace sessions',
  async run ({ values, positionals: [stray] }) {
    refuse('create-index', stray)
    await withStore(values, async store => {
      await create(store)
      if (values.json) printJson({ complete: true })
      else print("The index on bin 'user' is complete.")
      return undefined
    })
  }
}
