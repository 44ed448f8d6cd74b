'use strict'

// Runs a step through the official client, and returns its outcome for a user.

const { setTimeout: pass } = require('node:timers/promises')
const aerospike = require('aerospike')
const { INDEXES, KEYS } = require('./steps')

/** @typedef {import('../history').Step} Step */
/** @typedef {import('../history').Outcome} Outcome */

aerospike.setDefaultLogging({ level: aerospike.log.OFF })

const POLICY = { totalTimeout: 10_000, maxRetries: 0 }
/** The default policies of the two clients, which take turns. */
const DEFAULTS = [
  POLICY,
  { ...POLICY, key: aerospike.policy.key.SEND, deserialize: false }
]

/** @param {string} hosts */
function connect (hosts) {
  return Promise.all(DEFAULTS.map(defaults => aerospike.connect({
    hosts,
    maxConnsPerNode: 20,
    policies: {
      read: new aerospike.ReadPolicy(defaults),
      write: new aerospike.WritePolicy(defaults),
      operate: new aerospike.OperatePolicy(defaults),
      remove: new aerospike.RemovePolicy(defaults),
      batch: new aerospike.BatchPolicy(POLICY),
      query: new aerospike.QueryPolicy(POLICY),
      scan: new aerospike.ScanPolicy(POLICY)
    }
  })))
}

/** A server, used through the official client. */
class OfficialTarget {
  /** @type {any[]} */
  #clients
  #namespace
  #set

  /** @param {any[]} clients @param {{ namespace: string, set: string }} where */
  constructor (clients, { namespace, set }) {
    this.#clients = clients
    this.#namespace = namespace
    this.#set = set
  }

  /** @param {string} hosts @param {{ namespace: string, set: string }} where */
  static async open (hosts, where) {
    return new OfficialTarget(await connect(hosts), where)
  }

  /** @param {Step} step @returns {Promise<Outcome>} */
  async run (step) {
    try {
      return { status: 0, ...await this.#do(step) }
    } catch (error) {
      return failure(error)
    }
  }

  /** Removes everything that a history has created. */
  async clean () {
    const [client] = this.#clients
    await Promise.all(KEYS.map(key => client.remove(this.#key(key)).catch(() => {})))
    for (const index of INDEXES) await this.#dropIndex(client, index).catch(() => {})
  }

  async close () {
    for (const client of this.#clients) client.close(false)
  }

  /** @param {any} key */
  #key (key) {
    return new aerospike.Key(this.#namespace, this.#set, key)
  }

  /** @param {string} index */
  #index (index) {
    return `${this.#set}-${index}`
  }

  /** @param {Step} step @returns {Promise<{ [field: string]: any }>} */
  async #do (step) {
    const client = this.#clients[step.client]
    const key = step.key === undefined ? undefined : this.#key(step.key)
    const policy = policyOf(step.policy)
    switch (step.kind) {
      case 'put':
        await client.put(key, step.bins, step.meta, policy && new aerospike.WritePolicy(policy))
        return {}
      case 'get':
        return record(await client.get(key, policy && new aerospike.ReadPolicy(policy)))
      case 'select':
        return record(await client.select(key, step.bins, policy && new aerospike.ReadPolicy(policy)))
      case 'exists':
        return { exists: await client.exists(key, policy && new aerospike.ReadPolicy(policy)) }
      case 'remove':
        await client.remove(key, policy && new aerospike.RemovePolicy(policy))
        return {}
      case 'operate':
        return record(await client.operate(key, step.operations.map(operation), step.meta, policy && new aerospike.OperatePolicy(policy)))
      case 'together':
        return { outcomes: (await Promise.all(step.steps.map((/** @type {Step} */ one) => this.run(one)))).map(({ status }) => status) }
      case 'batch':
        return { rows: await this.#batch(client, step, policy) }
      case 'scan':
      case 'query':
        return this.#walk(client, step, policy)
      case 'createIndex':
        return this.#createIndex(client, step)
      case 'dropIndex':
        await this.#dropIndex(client, step.index)
        return {}
      case 'truncate':
        // A server truncates by the millisecond: a record written in the same millisecond may be removed or not.
        await pass(20)
        await client.truncate(this.#namespace, this.#set, 0)
        await pass(20)
        return {}
    }
    throw new TypeError(`no step ${step.kind}`)
  }

  /** @param {any} client @param {Step} step @param {any} policy */
  async #batch (client, step, policy) {
    const rows = step.rows.map((/** @type {any} */ { operations, key, policy, ...row }) => ({
      ...row,
      key: this.#key(key),
      ...operations && { ops: operations.map(operation) },
      ...policy && { policy: new ROW_POLICIES[row.type](policyOf(policy)) }
    }))
    /** @type {any[]} */
    const results = await client.batchWrite(rows, new aerospike.BatchPolicy({ ...POLICY, ...policy }))
      .catch((/** @type {any} */ error) => {
        if (!Array.isArray(error.results)) throw error
        return error.results
      })
    return results.map(({ status, record: found }) => ({ status, ...found?.gen !== undefined && record(found) }))
  }

  /** Reads all pages of a scan or query, and sorts the records by digest. @param {any} client @param {Step} step @param {any} policy */
  async #walk (client, step, policy) {
    const options = { ...step.bins && { select: step.bins }, ...step.nobins && { nobins: true }, ...step.pageSize && { paginate: true, maxRecords: step.pageSize } }
    const walk = client[step.kind](this.#namespace, this.#set, options)
    if (step.where) walk.where(predicate(step.where))
    if (step.partitions) walk.partitions(step.partitions.begin, step.partitions.count)
    else if (step.pageSize) walk.partitions(0, 4096)
    const Policy = step.kind === 'scan' ? aerospike.ScanPolicy : aerospike.QueryPolicy
    const walkPolicy = new Policy({ ...POLICY, ...policy, ...step.kind === 'scan' && step.pageSize && { maxRecords: step.pageSize } })
    const found = []
    const sizes = []
    for (let page = 0; page < 50; page++) {
      const { records, state } = await collect(walk.foreach(walkPolicy))
      found.push(...records)
      sizes.push(records.length)
      if (!step.pageSize || !state) break
      walk.nextPage(state)
    }
    const records = found
      .map(one => ({ digest: one.key.digest.toString('hex'), key: one.key.key, ...record(one) }))
      .sort((a, b) => a.digest < b.digest ? -1 : 1)
    return { records, sizes }
  }

  /** @param {any} client @param {Step} step */
  async #createIndex (client, { index, bin, type, datatype }) {
    const job = await client.createIndex({ ns: this.#namespace, set: this.#set, bin, index: this.#index(index), type, datatype })
    await job.wait(5)
    return {}
  }

  /** @param {any} client @param {string} index */
  async #dropIndex (client, index) {
    const name = this.#index(index)
    const listed = async () => (await client.infoAny(`sindex-list:ns=${this.#namespace}`)).includes(`indexname=${name}:`)
    if (!await listed()) return
    await client.indexRemove(this.#namespace, name)
    while (await listed()) await pass(5)
  }
}

/** @type {Record<number, any>} */
const ROW_POLICIES = {
  [aerospike.batchType.BATCH_READ]: aerospike.BatchReadPolicy,
  [aerospike.batchType.BATCH_WRITE]: aerospike.BatchWritePolicy,
  [aerospike.batchType.BATCH_REMOVE]: aerospike.BatchRemovePolicy
}

/** @param {any} found */
function record ({ bins, gen, ttl }) {
  return { bins, gen, ttl }
}

/** Returns the error of the server. Errors of the client itself are the same for both servers. @param {any} error @returns {Outcome} */
function failure (error) {
  return typeof error.code === 'number' ? { status: error.code } : { status: `${error.name}: ${error.message}` }
}

/** @param {any} policy */
function policyOf (policy) {
  if (!policy) return undefined
  const { filterExpression, ...rest } = policy
  return { ...rest, ...filterExpression && { filterExpression: expression(filterExpression) } }
}

/** @param {any} value an expression, or any argument of one @returns {any} */
function expression (value) {
  if (value?.exp === undefined) return value
  return path(aerospike.exp, value.exp)(...value.args.map(expression))
}

/** @param {import('./collections').Operation} data */
function operation ({ call, args, context, returns, invert }) {
  const made = path(aerospike, call)(...args.map(expression))
  if (context) made.withContext(contextOf(context))
  if (returns !== undefined && typeof made.andReturn === 'function') made.andReturn(returns)
  if (invert && typeof made.invertSelection === 'function') made.invertSelection()
  else if (invert) made.andReturn((returns ?? 0) | aerospike.maps.returnType.INVERTED)
  return made
}

/** @param {[string, ...any[]][]} items */
function contextOf (items) {
  /** @type {any} */
  const context = new aerospike.cdt.Context()
  for (const [method, ...args] of items) context[method](...args)
  return context
}

/** @param {any} root @param {string} name */
function path (root, name) {
  return name.split('.').reduce((value, part) => value[part], root)
}

/** @param {any} where */
function predicate ({ contains, range, bin, type }) {
  const { filter } = aerospike
  return range ? filter.range(bin, range[0], range[1], type) : filter.contains(bin, contains, type)
}

/** @param {any} stream @returns {Promise<{ records: any[], state: any }>} */
function collect (stream) {
  return new Promise((resolve, reject) => {
    /** @type {any[]} */
    const records = []
    stream.on('data', (/** @type {any} */ found) => records.push(found))
    stream.on('error', reject)
    stream.on('end', (/** @type {any} */ state) => resolve({ records, state }))
  })
}

module.exports = { OfficialTarget }
