'use strict'

// Random steps through the official client, as data: a command on one of a few keys.

const aerospike = require('aerospike')
const { collectionOperation, fill } = require('./collections')
const { anyExpression, filter } = require('./expressions')
const { binName, binValue, bins, element } = require('./values')

/** @typedef {import('../random').Random} Random */
/** @typedef {import('../history').Step} Step */
/** @typedef {import('./collections').Operation} Operation */

const { policy, batchType, indexType, indexDataType } = aerospike
const EXISTENCES = Object.values(policy.exists)
const GENERATIONS = Object.values(policy.gen)
const { expReadFlags, expWriteFlags } = aerospike.exp

const KEYS = [0, 1, 'a', 'b', Buffer.from([0]), -1]
/** Two clients with different default policies take turns. */
const CLIENTS = 2
const TEN_YEARS = 315_360_000

/** Differ by more than the tolerance. @param {Random} random */
function ttl (random) {
  return random.weighted([
    [6, () => random.pick([0, -1, -2, 100, 10_000])],
    [1, () => random.pick([TEN_YEARS, TEN_YEARS + 1, 2 ** 31 - 1, -3])]
  ])
}

/** @param {Random} random */
const where = random => ({ client: random.int(0, CLIENTS - 1), key: random.pick(KEYS) })

/** @param {Random} random */
const readPolicy = random => random.some(0.15, {
  filterExpression: () => filter(random),
  deserialize: () => false,
  readTouchTtlPercent: () => random.pick([0, -1, 80, 100, 101]),
  key: () => policy.key.SEND
})

/** @param {Random} random */
const writePolicy = random => ({
  ...random.some(0.2, {
    exists: () => random.pick(EXISTENCES),
    gen: () => random.pick(GENERATIONS),
    key: () => policy.key.SEND,
    filterExpression: () => filter(random)
  }),
  ...random.some(0.02, { durableDelete: () => true, compress: () => true })
})

/** @param {Random} random */
const meta = random => random.some(0.4, { ttl: () => ttl(random), gen: () => random.int(0, 4) })

/** @param {Random} random @returns {Operation} */
function scalarOperation (random) {
  const bin = binName(random)
  return random.weighted([
    [4, () => ({ call: 'operations.read', args: [bin] })],
    [3, () => ({ call: 'operations.write', args: [bin, binValue(random)] })],
    [3, () => ({ call: 'operations.incr', args: [bin, random.pick([1, -2, Number.MAX_SAFE_INTEGER, 1.5])] })],
    [2, () => ({ call: `operations.${random.pick(['append', 'prepend'])}`, args: [bin, random.pick(['x', '', Buffer.from([1]), 'yz'])] })],
    [1, () => ({ call: 'operations.touch', args: random.chance(0.5) ? [] : [ttl(random)] })],
    [0.5, () => ({ call: 'operations.delete', args: [] })]
  ])
}

/** @param {Random} random @returns {Operation} */
const expressionOperation = random => random.chance(0.5)
  ? { call: 'exp.operations.read', args: [binName(random), anyExpression(random), random.pick(Object.values(expReadFlags))] }
  : { call: 'exp.operations.write', args: [binName(random), anyExpression(random), random.chance(0.4) ? 0 : random.pick(Object.values(expWriteFlags))] }

/** @param {Random} random @returns {Operation} */
const anyOperation = random => random.weighted([
  [3, () => scalarOperation(random)],
  [1, () => collectionOperation(random, 'lists', random.chance(0.9) ? 'l' : binName(random))],
  [1, () => collectionOperation(random, 'maps', random.chance(0.9) ? 'm' : binName(random))]
])

/** @param {Random} random @returns {Step} */
function recordStep (random) {
  return random.weighted([
    [5, () => ({ kind: 'put', ...where(random), bins: bins(random), meta: meta(random), policy: writePolicy(random) })],
    [3, () => ({ kind: 'get', ...where(random), policy: readPolicy(random) })],
    [1, () => ({ kind: 'select', ...where(random), bins: random.list(0, 3, () => binName(random)), policy: readPolicy(random) })],
    [1, () => ({ kind: 'exists', ...where(random), policy: readPolicy(random) })],
    [1, () => ({ kind: 'remove', ...where(random), policy: { ...writePolicy(random), ...random.some(0.3, { generation: () => random.int(0, 4) }) } })],
    [3, () => ({ kind: 'operate', ...where(random), operations: random.list(0, 5, () => random.chance(0.1) ? expressionOperation(random) : anyOperation(random)), meta: meta(random), policy: { ...readPolicy(random), ...writePolicy(random) } })]
  ])
}

/** @param {Random} random @param {'lists' | 'maps'} module @returns {Step} */
function collectionStep (random, module) {
  const bin = module[0].slice(0, 1)
  return random.weighted([
    [2, () => ({ kind: 'put', ...where(random), bins: { [bin]: binValue(random) } })],
    [2, () => ({ kind: 'operate', ...where(random), operations: fill(random, module, bin) })],
    [12, () => ({ kind: 'operate', ...where(random), operations: random.list(1, 3, () => collectionOperation(random, module, bin)), policy: random.some(0.3, { deserialize: () => false }) })],
    [2, () => ({ kind: 'get', ...where(random), policy: { deserialize: false } })]
  ])
}

/** An operation that the client can encode in a batch. It crashes on others. @param {Random} random @returns {Operation} */
function batchOperation (random) {
  const operation = anyOperation(random)
  return operation.args.some(arg => typeof arg === 'bigint') ? batchOperation(random) : operation
}

/** @param {Random} random @returns {any} */
function batchRow (random) {
  const key = random.pick(KEYS)
  return random.weighted([
    [3, () => ({
      type: batchType.BATCH_READ,
      key,
      ...random.weighted([
        [2, () => ({ readAllBins: true })],
        [1, () => ({ bins: random.list(0, 2, () => binName(random)) })],
        [2, () => ({ operations: random.list(1, 2, () => ({ call: 'operations.read', args: [binName(random)] })) })],
        [0.5, () => ({ operations: random.list(1, 2, () => batchOperation(random)) })]
      ]),
      policy: random.some(0.15, { filterExpression: () => filter(random), readTouchTtlPercent: () => random.pick([-1, 80]) })
    })],
    [3, () => ({
      type: batchType.BATCH_WRITE,
      key,
      operations: random.list(1, 3, () => batchOperation(random)),
      policy: random.some(0.2, {
        filterExpression: () => filter(random),
        key: () => policy.key.SEND,
        gen: () => random.pick(GENERATIONS),
        exists: () => random.pick(EXISTENCES),
        ttl: () => ttl(random)
      })
    })],
    [1, () => ({
      type: batchType.BATCH_REMOVE,
      key,
      policy: random.some(0.2, {
        filterExpression: () => filter(random),
        key: () => policy.key.SEND,
        gen: () => random.pick(GENERATIONS),
        generation: () => random.int(0, 4)
      })
    })]
  ])
}

/** @param {Random} random @returns {Step} */
function batchStep (random) {
  return {
    kind: 'batch',
    client: where(random).client,
    rows: random.list(1, 6, () => batchRow(random)),
    // A real server runs the rows of a batch in parallel, unless they are inline.
    policy: { ...random.some(0.2, { respondAllKeys: () => random.chance(0.5), filterExpression: () => filter(random), deserialize: () => false }), allowInline: true }
  }
}

/** @param {Random} random @returns {any} */
function partitions (random) {
  return random.weighted([
    [3, () => ({ begin: 0, count: 4096 })],
    [3, () => ({ begin: random.int(0, 4095), count: random.pick([1, 100, 2048]) })],
    [1, () => ({ begin: random.int(0, 4095), count: 0 })]
  ])
}

/** @param {Random} random @returns {Step} */
function scanStep (random) {
  return {
    kind: random.pick(['scan', 'query']),
    client: where(random).client,
    ...random.some(0.3, {
      bins: () => random.list(1, 2, () => binName(random)),
      nobins: () => true,
      partitions: () => partitions(random),
      pageSize: () => random.int(1, 4)
    }),
    policy: random.some(0.2, { filterExpression: () => filter(random), deserialize: () => false })
  }
}

const INDEXES = ['i', 'j']
const indexedValue = (/** @type {Random} */ random) => random.weighted([
  [5, () => random.int(0, 5)],
  [4, () => random.pick(['a', 'b', 'c', ''])],
  [1, () => Buffer.from([random.int(0, 2)])]
])

/** @param {Random} random @returns {Step} */
function indexStep (random) {
  const { client } = where(random)
  const type = random.pick([indexType.DEFAULT, indexType.LIST, indexType.MAPKEYS, indexType.MAPVALUES])
  return random.weighted([
    [1, () => ({
      kind: 'createIndex',
      client,
      index: random.pick(INDEXES),
      bin: binName(random),
      type,
      datatype: random.pick([indexDataType.STRING, indexDataType.NUMERIC, indexDataType.BLOB])
    })],
    [0.3, () => ({ kind: 'dropIndex', client, index: random.pick(INDEXES) })],
    [6, () => ({
      ...scanStep(random),
      kind: 'query',
      where: random.chance(0.6)
        ? { contains: indexedValue(random), bin: binName(random), type }
        : { range: [random.int(-1, 3), random.int(0, 6)], bin: binName(random), type }
    })],
    [5, () => recordStep(random)]
  ])
}

/** Concurrent commands of both clients on one key, whose order does not affect the result. @param {Random} random @returns {Step} */
function togetherStep (random) {
  const { key } = where(random)
  return {
    kind: 'together',
    steps: random.list(2, 8, index => ({
      kind: 'operate',
      client: index % CLIENTS,
      key,
      operations: [random.chance(0.5)
        ? { call: 'operations.incr', args: ['a', random.int(1, 9)] }
        : { call: 'maps.put', args: ['m', index, element(random, 0)] }]
    }))
  }
}

/** @param {Random} random @returns {Step} */
const anyStep = random => random.weighted([
  [8, () => recordStep(random)],
  [3, () => collectionStep(random, 'lists')],
  [3, () => collectionStep(random, 'maps')],
  [3, () => batchStep(random)],
  [2, () => scanStep(random)],
  [1, () => togetherStep(random)],
  [0.3, () => ({ kind: 'truncate', client: where(random).client })]
])

/** The themes of histories. @type {Record<string, (random: Random) => Step>} */
const THEMES = {
  records: recordStep,
  lists: random => collectionStep(random, 'lists'),
  maps: random => collectionStep(random, 'maps'),
  batches: random => random.chance(0.5) ? batchStep(random) : recordStep(random),
  scans: random => random.chance(0.4) ? scanStep(random) : recordStep(random),
  indexes: indexStep,
  mixed: anyStep
}

module.exports = { CLIENTS, INDEXES, KEYS, THEMES }
