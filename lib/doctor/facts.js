'use strict'

// The facts that the doctor collects: their types, and how to read them from info answers.

/**
 * @typedef {Record<string, string>} Values by name, as the server writes them
 * @typedef {{ code: string, message: string, cause?: string, resultCode?: number }} Failure
 * @typedef {{ host: string, error?: string }} Reached a seed, and the system's error code if no TCP connection could be made
 * @typedef {{ name: string, address: string, error?: string, build: string, edition: string, statistics: Values,
 *   namespaces: string[], namespace?: Values, set?: Values, indexes: Values[] }} NodeFacts
 *   error: why it did not answer. namespace, set: undefined if the node has none of that name
 * @typedef {{ name: string, least: number, most: number }} Skew bounds of a node's clock minus this machine's, in milliseconds
 * @typedef {'save' | 'get' | 'touch' | 'delete'} Step
 * @typedef {{ count: number, p50: number, p95: number, p99: number, max: number }} Times milliseconds
 * @typedef {{ times: Partial<Record<Step, Times>>, failures: Partial<Record<Step, Failure>>, wrong: string[],
 *   ttlRefused: boolean, left: number }} SmokeTest wrong: steps with a wrong answer. left: throw-away records not removed
 * @typedef {{ size: number, map: number, json: number }} Formats the average bytes of a session in the set, and the median time
 *   to read one of that size in each format, in milliseconds
 * @typedef {{ namespace: string, set: string, bin: string, prefix: string, hosts: string[], tls: boolean,
 *   timeout: number }} Target
 * @typedef {{ target: Target, seeds: Reached[], connected?: number, failure?: Failure, nodes: NodeFacts[], skews: Skew[],
 *   smokeTest?: SmokeTest, formats?: Formats, userQuery?: Failure | 'ok' }} Facts connected: milliseconds until connected
 */

/** Stands for a seed's error code: it accepted the connection but did not answer. */
const SILENT = 'SILENT'

/** The values to check, by kind of answer. Names are those of server 8.1, and of 6.x where they differ. If a server lacks one, its check is skipped. */
const WANTED = {
  statistics: ['cluster_size', 'cluster_key', 'cluster_integrity', 'cluster_clock_skew_ms', 'system_free_mem_kbytes', 'system_free_mem_pct'],
  namespace: [
    'nsup-period', 'allow-ttl-without-nsup', 'default-ttl', 'default-read-touch-ttl-pct', 'current_time',
    'replication-factor', 'effective_replication_factor', 'strong-consistency', 'dead_partitions', 'unavailable_partitions',
    'storage-engine', 'data_total_bytes', 'data_used_bytes', 'data_used_pct', 'data_avail_pct',
    'storage-engine.stop-writes-used-pct', 'storage-engine.stop-writes-avail-pct', 'stop-writes-sys-memory-pct',
    'indexes-memory-budget', 'indexes_memory_used_pct', 'stop_writes', 'clock_skew_stop_writes', 'reject-non-xdr-writes',
    'storage-engine.evict-used-pct', 'evict-indexes-memory-pct', 'index-type.evict-mounts-pct', 'sindex-type.evict-mounts-pct',
    'hwm_breached', 'evicted_objects', 'objects', 'max-record-size',
    // Server 6.x.
    'high-water-memory-pct', 'high-water-disk-pct', 'index-type.mounts-high-water-pct', 'sindex-type.mounts-high-water-pct',
    'stop-writes-pct', 'memory-size', 'memory_used_bytes', 'storage-engine.min-avail-pct', 'storage-engine.max-used-pct',
    'device_free_pct', 'device_available_pct', 'pmem_free_pct', 'pmem_available_pct'
  ],
  set: [
    'objects', 'data_used_bytes', 'default-ttl', 'default-read-touch-ttl-pct', 'disable-eviction', 'stop-writes-count',
    'stop-writes-size'
  ],
  index: ['indexname', 'set', 'bin', 'type', 'indextype', 'state']
}

/** Settings of persistent storage, such as `storage-engine.device[0]` or `storage-engine.file[0]`. */
const PERSISTENT = /^storage-engine\.(device|file)\[\d+\]$/

/**
 * @param {string} text
 * @param {string} separator
 * @returns {Values}
 */
function values (text, separator) {
  const pairs = text.split(separator).map(pair => {
    const at = pair.indexOf('=')
    return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
  })
  return Object.fromEntries(pairs)
}

/**
 * @param {Values} all
 * @param {readonly string[]} wanted
 * @returns {Values}
 */
function pick (all, wanted) {
  return Object.fromEntries(wanted.filter(name => name in all).map(name => [name, all[name]]))
}

/**
 * Returns the info commands for every node.
 * @param {{ namespace: string, set: string }} target
 */
function infoCommands ({ namespace, set }) {
  return {
    build: 'build',
    edition: 'edition',
    statistics: 'statistics',
    namespaces: 'namespaces',
    namespace: `namespace/${namespace}`,
    set: `sets/${namespace}/${set}`,
    // Servers before 8.1 call the namespace 'ns'.
    indexes: `sindex-list:namespace=${namespace};ns=${namespace}`
  }
}

/**
 * @param {{ name: string, address: string, answers: Values, error: string | null }} node as the core reports it
 * @param {{ namespace: string, set: string }} target
 * @returns {NodeFacts}
 */
function nodeFacts ({ name, address, answers, error }, target) {
  const asked = infoCommands(target)
  const answer = (/** @type {keyof typeof asked} */ what) => {
    const text = answers[asked[what]] ?? ''
    return /^(ERROR|FAIL)\b/.test(text) ? '' : text
  }
  const namespaces = answer('namespaces').split(';').filter(Boolean)
  const set = answer('set').replace(/;$/, '')
  return {
    name,
    address,
    ...(error === null ? {} : { error }),
    build: answer('build'),
    edition: answer('edition'),
    statistics: pick(values(answer('statistics'), ';'), WANTED.statistics),
    namespaces,
    ...(namespaces.includes(target.namespace) ? { namespace: namespaceFacts(answer('namespace')) } : {}),
    ...(set === '' ? {} : { set: pick(values(set, ':'), WANTED.set) }),
    indexes: answer('indexes').split(';').filter(Boolean).map(index => pick(values(index, ':'), WANTED.index))
  }
}

/** @param {string} text */
function namespaceFacts (text) {
  const all = values(text, ';')
  return pick(all, [...WANTED.namespace, ...Object.keys(all).filter(name => PERSISTENT.test(name))])
}

/** @param {NodeFacts} node */
function isPersistent ({ namespace = {} }) {
  return Object.keys(namespace).some(name => PERSISTENT.test(name))
}

/**
 * Returns the index that finds sessions by their owner.
 *
 * @param {NodeFacts} node
 * @param {{ set: string }} target
 */
function userIndex ({ indexes }, { set }) {
  return indexes.find(index => index.bin === 'user' && index.type === 'string' && index.indextype === 'default' && index.set === set)
}

/**
 * @param {any} error
 * @returns {Failure}
 */
function failureFacts ({ code, message, cause, resultCode }) {
  return {
    code: String(code ?? 'SERVER'),
    message,
    ...(cause instanceof Error ? { cause: cause.message } : {}),
    ...(resultCode === undefined ? {} : { resultCode })
  }
}

module.exports = { SILENT, failureFacts, infoCommands, isPersistent, nodeFacts, userIndex, values }
