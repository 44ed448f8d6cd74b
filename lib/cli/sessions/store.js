'use strict'

// What the commands for sessions share: their options, the store they work with, scans with progress, and how they print
// how many sessions they removed.

const { pages } = require('../../scan-pages')
const { ownerArgument } = require('../../options/owner')
const { printError, print, printJson } = require('../output')
const { Progress } = require('../progress')
const { EXIT_CODES, HELP, OPTIONS, hashIdsOption, storeOptions } = require('../store-options')
const { UsageError } = require('../usage')

/** @typedef {import('../../stores/aerospike-store').AerospikeStore} AerospikeStore */

/** About how many sessions are scanned per page. */
const BATCH = 10_000

/** The options that several commands have, with their help. @type {Record<string, { option: { type: 'boolean' | 'string' }, help: string }>} */
const SHARED = {
  'hash-ids': { option: { type: 'boolean' }, help: '  --hash-ids          the store has option hashIds: its secret is in AEROSPIKE_HASH_IDS\n' },
  tombstones: { option: { type: 'boolean' }, help: '  --tombstones        remove as the store does with option tombstones\n' },
  'durable-delete': { option: { type: 'boolean' }, help: '  --durable-delete    remove as the store does with option durableDelete\n' },
  'dry-run': { option: { type: 'boolean' }, help: '  --dry-run           remove nothing: print how many sessions would be removed\n' }
}
const REMOVING = ['tombstones', 'durable-delete', 'dry-run']

/**
 * Returns the options of a command, and their help: those of the cluster, its own, and shared ones.
 *
 * @param {readonly string[]} shared
 * @param {Record<string, { type: 'boolean' | 'string' }>} [own]
 * @param {string} [help] of its own options
 */
function optionsOf (shared, own = {}, help = '') {
  const options = Object.fromEntries(shared.map(name => [name, SHARED[name].option]))
  return {
    options: { ...OPTIONS, ...own, ...options },
    optionsHelp: `${HELP}${help}${shared.map(name => SHARED[name].help).join('')}  --json              the answer as JSON\n`,
    exitCodes: EXIT_CODES
  }
}

/**
 * Opens a store as the command line describes it, calls `work` and closes the store. If there were no sessions and no prefix was given, prints a hint.
 *
 * @param {Record<string, any>} values
 * @param {(store: AerospikeStore) => Promise<number | undefined>} work returns the number of sessions that were found; undefined: no hint
 * @param {Record<string, any>} [more] options of the client
 */
async function withStore (values, work, more = {}) {
  const { SessionStore } = require('../../stores/session-store')
  const { AerospikeStore } = require('../../stores/aerospike-store')
  const client = new SessionStore({
    ...await storeOptions(values),
    ...hashIdsOption(values),
    tombstones: values.tombstones === true,
    durableDelete: values['durable-delete'] === true,
    ...more
  })
  client.on('warning', () => {})
  const store = new AerospikeStore({ client: /** @type {any} */ (client) })
  store.on('warning', ({ code }) => {
    if (code === 'NO_USER_INDEX') printError("There is no index on bin 'user': all of the set is looked through. store.createUserIndex() or `sessions create-index` makes one.")
  })
  try {
    await store.ready()
    const found = await work(store)
    if (found === 0 && values.prefix === undefined) printError('There is none of stores without option prefix. For those of a store that has it: --prefix TEXT.')
  } finally {
    await client.close()
  }
}

/**
 * Scans the set and shows the progress on the terminal.
 *
 * @template T
 * @param {AerospikeStore} store
 * @param {(ask: (operation: import('../../tracing').Operation, ...more: any[]) => Promise<any> | undefined) => Promise<T> | T} readPage
 * @param {(page: T) => number} sizeOf
 * @param {() => string} words
 * @returns {AsyncGenerator<T>}
 */
async function * scan (store, readPage, sizeOf, words) {
  const { connection } = store
  const progress = new Progress()
  const ask = (/** @type {number} */ first, /** @type {number} */ count) => {
    return readPage((operation, ...more) => connection.request(operation, undefined, [first, count, ...more]))
  }
  try {
    for await (const { page, done } of pages(ask, BATCH, sizeOf)) {
      progress.clear()
      yield page
      progress.show(done, words())
    }
  } finally {
    progress.clear()
  }
}

/**
 * Prints how many sessions were removed, or would be.
 *
 * @param {Record<string, any>} values
 * @param {number} count
 */
function printRemoved (values, count) {
  const dryRun = values['dry-run'] === true
  if (values.json) return printJson(dryRun ? { wouldRemove: count } : { removed: count })
  print(`${count} ${count === 1 ? 'session' : 'sessions'} ${dryRun ? 'would be removed' : 'removed'}`)
}

/** @param {string} user */
function checkUser (user) {
  try {
    ownerArgument(user)
  } catch (/** @type {any} */ error) {
    throw new UsageError(error.message)
  }
}

/**
 * @param {string} command
 * @param {string | undefined} stray
 */
function refuse (command, stray) {
  if (stray !== undefined) throw new UsageError(`${command} takes no argument '${stray}'`)
}

module.exports = { REMOVING, checkUser, optionsOf, printRemoved, refuse, scan, withStore }
