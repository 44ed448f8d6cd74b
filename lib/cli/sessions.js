'use strict'

// The command `aerospike-session sessions`: counts, lists and removes sessions.

const operations = require('../operations')
const { pages } = require('../scan-pages')
const { ownerArgument } = require('../options/owner')
const { printError, isClosed, print, printJson, write } = require('./output')
const { Progress } = require('./progress')
const { HELP: STORE_HELP, OPTIONS, storeOptions } = require('./store-options')
const { UsageError, parse } = require('./usage')

const HELP = `Usage: aerospike-session sessions count [options]
       aerospike-session sessions list [options]
       aerospike-session sessions destroy-user USER [options]

  count tells how many sessions there are; with --of, how many a user has.

  list prints the ids of all sessions, one a line. The server knows them only of sessions that
  were stored with option storeIds. An id is as good as a login: mind where it is printed to.

  destroy-user removes all sessions of a user, of a store with option user, and tells how many.

  A store with option prefix has sessions of its own: give it as --prefix.

Options:
${STORE_HELP}  --of USER           count the sessions of this user only
  --hash-ids          the store has option hashIds: its secret is in AEROSPIKE_HASH_IDS
  --tombstones        remove as the store does with option tombstones
  --durable-delete    remove as the store does with option durableDelete
  --json              the answer as JSON
  --help              show this

Exit codes: 0 done, 1 failed, 2 a mistake in the command line, 3 done, but the output cannot be
written.
`

const OWN_OPTIONS = /** @type {const} */ ({
  of: { type: 'string' },
  'hash-ids': { type: 'boolean' },
  tombstones: { type: 'boolean' },
  'durable-delete': { type: 'boolean' }
})

/** About how many sessions are scanned per page. */
const BATCH = 10_000

/**
 * @typedef {import('../stores/aerospike-store').AerospikeStore} AerospikeStore
 * @typedef {{ store: AerospikeStore, user?: string, json: boolean }} Task
 */

/** Each command returns how many sessions it found. @type {Record<string, (task: Task) => Promise<number>>} */
const COMMANDS = { count, list, 'destroy-user': destroyUser }

/** @param {string[]} args */
async function run (args) {
  const { values, positionals: [command, user, stray] } = parse(args, { ...OPTIONS, ...OWN_OPTIONS })
  if (values.help) return write(HELP)
  if (command === undefined) throw new UsageError('sessions needs a command: count, list or destroy-user')
  if (!Object.hasOwn(COMMANDS, command)) throw new UsageError(`'${command}' is nothing sessions can do: there are count, list and destroy-user`)
  const named = values.of ?? (command === 'destroy-user' ? user : undefined)
  if (named !== undefined) checkUser(named)
  if (command === 'destroy-user' && user === undefined) throw new UsageError('destroy-user needs the user')
  const beyond = command === 'destroy-user' ? stray : user
  if (beyond !== undefined) throw new UsageError(`${command} takes no argument '${beyond}'`)
  if (values.of !== undefined && command !== 'count') throw new UsageError('--of belongs to count')
  if (command === 'list' && values['hash-ids']) throw new UsageError('with option hashIds no session id is stored: there is nothing to list')
  const store = open(await storeOptions(values), command, values)
  try {
    await store.ready()
    const found = await COMMANDS[command]({ store, user: values.of ?? user, json: values.json === true })
    if (found === 0 && values.prefix === undefined) printError('There is none of stores without option prefix. For those of a store that has it: --prefix TEXT.')
  } finally {
    await store.close()
  }
}

/**
 * @param {Record<string, any>} options of a SessionStore
 * @param {string} command
 * @param {Record<string, any>} values
 * @returns {AerospikeStore}
 */
function open (options, command, values) {
  const { SessionStore } = require('../stores/session-store')
  const { AerospikeStore } = require('../stores/aerospike-store')
  const client = new SessionStore({
    ...options,
    ...(values['hash-ids'] ? { hashIds: secret() } : {}),
    ...(command === 'list' ? { storeIds: true } : {}),
    tombstones: values.tombstones === true,
    durableDelete: values['durable-delete'] === true
  })
  client.on('warning', () => {})
  const store = new AerospikeStore({ client: /** @type {any} */ (client) })
  store.on('warning', ({ code }) => {
    if (code === 'NO_USER_INDEX') printError("There is no index on bin 'user': all of the set is looked through. store.createUserIndex() makes one.")
  })
  store.close = () => client.close()
  return store
}

function secret () {
  const { AEROSPIKE_HASH_IDS: secret } = process.env
  if (secret === undefined) throw new UsageError('--hash-ids needs the secret in the environment, as AEROSPIKE_HASH_IDS')
  return secret
}

/** @param {Task} task */
async function count ({ store, user, json }) {
  const sessions = user === undefined ? await countAll(store) : await store.countOf(user)
  if (json) printJson({ sessions })
  else print(String(sessions))
  return sessions
}

/** @param {AerospikeStore} store */
async function countAll (store) {
  let found = 0
  for await (const page of scan(store, ask => ask(operations.length), page => page, () => `${found} sessions`)) found += page
  return found
}

/** @param {Task} task */
async function list ({ store, json }) {
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

/** @param {Task} task */
async function destroyUser ({ store, user, json }) {
  const removed = await store.destroyOf(/** @type {string} */ (user))
  if (json) printJson({ removed })
  else print(`${removed} ${removed === 1 ? 'session' : 'sessions'} removed`)
  return removed
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
 * Scans the set and shows the progress on the terminal.
 *
 * @template T
 * @param {AerospikeStore} store
 * @param {(ask: (operation: import('../tracing').Operation) => Promise<any> | undefined) => Promise<T> | T} readPage
 * @param {(page: T) => number} sizeOf
 * @param {() => string} words
 * @returns {AsyncGenerator<T>}
 */
async function * scan (store, readPage, sizeOf, words) {
  const { connection } = store
  const progress = new Progress()
  const ask = (/** @type {number} */ first, /** @type {number} */ count) => readPage(operation => connection.request(operation, undefined, [first, count]))
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

module.exports = { run }
