'use strict'

// Checks that the namespace keeps sessions until they expire, and no longer.

const { isPersistent } = require('../facts')
const { Findings, named, number, setting } = require('../finding')
const { capacity } = require('./capacity')

/** @typedef {import('../facts').NodeFacts & { namespace: import('../facts').Values }} Holder a node that has the namespace */

/** @param {import('../finding').Facts} facts */
function namespace (facts) {
  const found = new Findings('Namespace')
  const answering = facts.nodes.filter(({ error }) => error === undefined)
  if (answering.length === 0) return found.list
  const holders = /** @type {Holder[]} */ (answering.filter(({ namespace }) => namespace !== undefined))
  const { namespace: name } = facts.target
  if (holders.length < answering.length) missing(found, answering, name)
  if (holders.length === 0) return found.list
  ttl(found, holders, facts)
  readTouch(found, holders, name)
  capacity(found, holders, name)
  evictions(found, holders, facts.target)
  copies(found, holders, name)
  storage(found, holders)
  return found.list
}

/**
 * @param {Findings} found
 * @param {import('../facts').NodeFacts[]} nodes
 * @param {string} name
 */
function missing (found, nodes, name) {
  const without = nodes.filter(({ namespace }) => namespace === undefined)
  const others = [...new Set(nodes.flatMap(({ namespaces }) => namespaces))].sort()
  const where = without.length === nodes.length ? 'the cluster' : named(without)
  found.add('problem', 'NO_NAMESPACE', `${where} has no namespace '${name}'`,
    (others.length === 0 ? '' : `give one that is there (--namespace, option 'namespace'): ${others.join(', ')}; or `) +
    'add it to aerospike.conf of every node and restart them')
}

/**
 * @param {Findings} found
 * @param {Holder[]} holders
 * @param {import('../finding').Facts} facts
 */
function ttl (found, holders, { target, smokeTest }) {
  const { namespace: name } = target
  const turnOn = setting(name, 'nsup-period=120')
  const idle = holders.filter(({ namespace }) => number(namespace, 'nsup-period') === 0)
  const refusing = idle.filter(({ namespace }) => namespace['allow-ttl-without-nsup'] !== 'true')
  if (refusing.length > 0 || smokeTest?.ttlRefused === true) {
    found.add('problem', 'TTL_REFUSED', 'TTLs are refused (nsup-period 0, allow-ttl-without-nsup false): sessions are stored without one. They still end on ' +
      'time, but the server never removes them', `turn removal on: ${turnOn}. If it has to stay so, run store.prune() regularly`)
  } else if (idle.length > 0) {
    found.add('problem', 'NEVER_REMOVED', 'TTLs are taken, but nothing removes what has ended (nsup-period 0): it takes room until the server is restarted',
      `turn removal on: ${turnOn}`)
  } else {
    const periods = [...new Set(holders.map(({ namespace }) => namespace['nsup-period']))]
    found.ok('TTL', `TTLs are taken; what has ended is removed every ${periods.join(' or ')} s (nsup-period)`)
  }
}

/**
 * @param {Findings} found
 * @param {Holder[]} holders
 * @param {string} name
 */
function readTouch (found, holders, name) {
  // A setting of the set overrides that of the namespace.
  const percent = Math.max(...holders.map(({ namespace, set }) => {
    return number(set, 'default-read-touch-ttl-pct') || number(namespace, 'default-read-touch-ttl-pct') || 0
  }))
  if (percent === 0) return
  found.add('warning', 'READS_EXTEND', `every read extends a session of which less than ${percent} % is left (default-read-touch-ttl-pct), also one that is ` +
    'not to be extended', `if that is not meant, set it to 0: ${setting(name, 'default-read-touch-ttl-pct=0')}. A store asks for it with option 'touchOnRead'`)
}

/**
 * The limits at which a namespace evicts: eval_hwm_breached() in the server's as/src/base/nsup.c, of server 7.0 and later, and of
 * 6.x.
 */
const EVICTION_LIMITS = [
  'storage-engine.evict-used-pct', 'evict-indexes-memory-pct', 'index-type.evict-mounts-pct', 'sindex-type.evict-mounts-pct',
  'high-water-memory-pct', 'high-water-disk-pct', 'index-type.mounts-high-water-pct', 'sindex-type.mounts-high-water-pct'
]

/**
 * @param {Findings} found
 * @param {Holder[]} holders
 * @param {import('../facts').Target} target
 */
function evictions (found, holders, { namespace: name, set }) {
  const on = EVICTION_LIMITS.filter(setting => holders.some(({ namespace }) => (number(namespace, setting) ?? 0) > 0))
  const isKnown = holders.every(({ namespace }) => EVICTION_LIMITS.some(setting => setting in namespace))
  const spared = holders.every(({ set }) => set?.['disable-eviction'] === 'true')
  const evicted = holders.reduce((sum, { namespace }) => sum + (number(namespace, 'evicted_objects') ?? 0), 0)
  const evicting = holders.some(({ namespace }) => namespace.hwm_breached === 'true')
  const limits = on.length === 0 ? '' : ` (${on.join(', ')})`
  const spare = `add room; or spare the sessions: asadm --enable -e "manage config namespace ${name} set ${set} param disable-eviction to true"`
  if (spared) {
    found.ok('NO_EVICTION', 'no session is evicted before its end (disable-eviction)')
  } else if (evicting) {
    found.add('problem', 'EVICTING', `the namespace is so full that sessions are evicted before their end${limits}: visitors are logged out`, spare)
  } else if (evicted > 0) {
    found.add('warning', 'EVICTED', `${evicted} records have been evicted before their end since the nodes were started${limits}: visitors may have been logged out`, spare)
  } else if (on.length > 0) {
    found.add('warning', 'EVICTION_ON', `sessions are evicted before their end when the namespace gets full (${on.map(one => value(holders, one)).join(', ')})`,
      `watch how full it gets, or spare the sessions: asadm --enable -e "manage config namespace ${name} set ${set} param disable-eviction to true"`)
  } else if (isKnown) {
    found.ok('NO_EVICTION', 'no session is evicted before its end')
  }
}

/**
 * @param {Holder[]} holders
 * @param {string} name
 */
function value (holders, name) {
  return `${name} ${[...new Set(holders.map(({ namespace }) => namespace[name]))].join(' or ')}`
}

/**
 * @param {Findings} found
 * @param {Holder[]} holders
 * @param {string} name
 */
function copies (found, holders, name) {
  const lost = holders.filter(({ namespace }) => (number(namespace, 'dead_partitions') ?? 0) + (number(namespace, 'unavailable_partitions') ?? 0) > 0)
  if (lost.length > 0) {
    found.add('problem', 'PARTITIONS_AWAY', `${named(lost)}: some partitions are dead or unavailable: their sessions can neither be read nor written`,
      'start the nodes that are missing; if they do not come back: asadm --enable -e "manage revive ns ' + `${name}", then "manage recluster"`)
  }
  const least = Math.min(...holders.map(({ namespace }) => number(namespace, 'effective_replication_factor') ?? 1))
  if (least > 1) found.ok('COPIES', `each session is on ${least} nodes`)
  else if (holders.length > 1) {
    found.add('warning', 'ONE_COPY', 'each session is on one node only: with the node the session is away',
      `set replication-factor 2 for namespace ${name} in aerospike.conf of all nodes, and restart them one by one`)
  }
}

/**
 * @param {Findings} found
 * @param {Holder[]} holders
 */
function storage (found, holders) {
  const engines = [...new Set(holders.map(({ namespace }) => namespace['storage-engine']))]
  if (engines[0] === undefined) return
  const [holder] = holders
  if (engines.includes('memory') && !holders.every(isPersistent)) {
    found.add('note', 'IN_MEMORY', 'records are in memory only: sessions do not survive a restart of all nodes',
      'fine if logging in again is; otherwise give the namespace files or devices')
    return
  }
  if (/Community/.test(holder.edition)) {
    found.add('note', 'DELETES_COME_BACK', 'records are on disk, and the Community Edition forgets what was deleted: after a cold restart removed sessions may be back',
      "if a logout has to outlast that, use option 'tombstones'")
  } else {
    found.add('note', 'DELETES_COME_BACK', 'records are on disk: after a cold restart sessions may be back that were not removed durably',
      "if a logout has to outlast that, use option 'durableDelete'")
  }
}

module.exports = { namespace }
