'use strict'

// Checks that sessions can be saved, read, touched and removed, and how long that takes.

const { userIndex } = require('../facts')
const { Findings, bytes } = require('../finding')

/** Milliseconds. A longer median means that the cluster is far away or overloaded. */
const SLOW = 10

/** JSON is recommended if reading it takes at most this share of the time for a map. */
const FASTER = 0.8

const DOES = /** @type {const} */ ({ save: 'saved', get: 'read', touch: 'touched', delete: 'removed' })
/** The least role that a step needs. */
const NEEDS = /** @type {const} */ ({ save: 'read-write', get: 'read', touch: 'read-write', delete: 'read-write' })

/** @typedef {import('../facts').Step} Step */

/** @param {import('../finding').Facts} facts */
function sessions (facts) {
  const found = new Findings('Sessions')
  const { target, smokeTest, userQuery } = facts
  if (smokeTest === undefined) return found.list
  const steps = /** @type {Step[]} */ (Object.keys(DOES))
  for (const step of steps) {
    const failure = smokeTest.failures[step]
    if (failure !== undefined) failed(found, step, failure, target)
  }
  for (const step of smokeTest.wrong) {
    found.add('problem', 'WRONG_ANSWER', `what ${step} answered of a session just saved is not what it has to be`,
      'see whether something else writes to or empties the set; if nothing does, please report it')
  }
  if (smokeTest.left > 0) {
    found.add('warning', 'LEFT_BEHIND', 'the throw-away session could not be removed', smokeTest.ttlRefused
      ? 'it does no harm, but stays: store.prune() removes it, with option \'prefix\' aerospike-session-doctor:'
      : 'nothing: it ends by itself, after ten minutes')
  }
  if (steps.every(step => smokeTest.failures[step] === undefined)) {
    if (smokeTest.wrong.length === 0) found.ok('WORKS', 'sessions can be saved, read, touched and removed')
    speed(found, smokeTest, target)
  }
  format(found, facts)
  index(found, facts, userQuery)
  return found.list
}

/**
 * @param {Findings} found
 * @param {Step} step
 * @param {import('../facts').Failure} failure
 * @param {import('../facts').Target} target
 */
function failed (found, step, { code, message, resultCode }, { namespace, set }) {
  const text = `no session can be ${DOES[step]}: ${message}`
  if (code === 'AUTH') {
    return found.add('problem', 'NO_PERMISSION', text, `give the user a role with ${NEEDS[step]} on set ${set} of namespace ${namespace}: ` +
      `asadm --enable -e "manage acl create role sessions priv ${NEEDS[step]} ns ${namespace} set ${set}", then "manage acl grant user NAME roles sessions"`)
  }
  const advice = {
    FORBIDDEN: "the namespace, the set or the user's quota forbids it: see the findings above, and the server's log",
    TIMEOUT: 'see whether a node is overloaded or frozen, or the network loses packets; --timeout gives more time',
    UNAVAILABLE: 'see whether all nodes can be reached from here, on the addresses they announce',
    OVERLOAD: 'see to the storage of the nodes: it writes slower than it is written to (asadm -e "show statistics like write-q")',
    NAMESPACE: 'correct --namespace'
  }[code]
  // AS_ERR_OUT_OF_SPACE
  const full = resultCode === 8 ? 'make room: see the findings about the namespace' : undefined
  found.add('problem', 'OPERATION_FAILED', text, full ?? advice ?? "the server's log tells more")
}

/**
 * @param {Findings} found
 * @param {import('../facts').SmokeTest} smokeTest
 * @param {import('../facts').Target} target
 */
function speed (found, { times }, { timeout }) {
  const all = Object.values(times)
  const median = Math.max(...all.map(({ p50 }) => p50))
  const longest = Math.max(...all.map(({ max }) => max))
  if (median > SLOW) {
    found.add('warning', 'SLOW', `half of all operations take more than ${Math.floor(median)} ms, and every page view needs one or two`,
      'run the application close to the cluster (the same zone); if it is close, look at the load of the nodes')
  } else if (longest > timeout / 3) {
    found.add('warning', 'STALLS', `an operation took ${Math.round(longest)} ms, of the ${timeout} ms it may take`,
      'see whether a node stalls: its load, its storage, the network; or whether this machine has nothing else to do')
  } else {
    found.ok('SPEED', 'operations are fast enough')
  }
}

/**
 * @param {Findings} found
 * @param {import('../finding').Facts} facts
 */
function format (found, { formats }) {
  if (formats === undefined || formats.json > formats.map * FASTER) return
  const { size, map, json } = formats
  found.add('note', 'JSON_IS_FASTER', `sessions have ${bytes(size)} on average: reading one of that size takes ${map.toFixed(2)} ms as a map, and ` +
    `${json.toFixed(2)} ms as JSON`, "use format: 'json', if only Node.js reads the sessions and you do not use it yet")
}

/**
 * @param {Findings} found
 * @param {import('../finding').Facts} facts
 * @param {import('../finding').Facts['userQuery']} query
 */
function index (found, { nodes, target }, query) {
  const answering = nodes.filter(({ error }) => error === undefined)
  const indexes = answering.map(node => userIndex(node, target))
  if (indexes.every(index => index === undefined)) {
    found.add('note', 'NO_USER_INDEX', "there is no index on bin 'user': only option 'user' needs one",
      'with that option, run store.createUserIndex() once; until then destroyOf() and its like read all of the set')
  } else if (indexes.some(index => index?.state !== 'RW')) {
    found.add('note', 'USER_INDEX_GROWING', "the index on bin 'user' is being built", 'wait until it is: the sessions of a user are not found by it yet')
  } else if (query !== undefined && query !== 'ok') {
    found.add('problem', 'USER_QUERY_FAILED', `the sessions of a user cannot be looked for: ${query.message}`, query.code === 'AUTH'
      ? `give the user a role with read on set ${target.set} of namespace ${target.namespace}`
      : "the server's log tells more")
  } else {
    found.ok('USER_INDEX', "the index on bin 'user' finds the sessions of a user")
  }
}

module.exports = { sessions }
