'use strict'

// Random list and map operations, as data: a function of the client and its arguments.

const aerospike = require('aerospike')
const { element, list, map, mapKey } = require('./values')

/** @typedef {import('../random').Random} Random */
/** @typedef {{ call: string, args: any[], invert?: boolean, returns?: number, context?: [string, ...any[]][] }} Operation */

const { lists, maps } = aerospike

/** @param {Random} random */
const index = random => random.weighted([
  [8, () => random.int(-4, 4)],
  [1, () => random.pick([-100, 100, 2 ** 31 - 1, -(2 ** 31)])]
])

/** @param {Random} random */
const count = random => random.weighted([[8, () => random.int(0, 4)], [1, () => random.pick([-1, 100, 2 ** 31 - 1])]])

/** @param {Random} random */
const step = random => random.pick([1, 2, -3, 0, 1.5, Number.MAX_SAFE_INTEGER])

/** @param {Random} random */
const flags = random => random.chance(0.5) ? 0 : random.int(0, 31)

/** @param {Random} random */
const listPolicy = random => random.chance(0.5)
  ? undefined
  : { order: random.pick([lists.order.UNORDERED, lists.order.ORDERED]), writeFlags: flags(random) }

/** @param {Random} random */
const mapOrder = random => random.pick([maps.order.UNORDERED, maps.order.KEY_ORDERED, maps.order.KEY_VALUE_ORDERED])

/** @param {Random} random */
const mapPolicy = random => random.chance(0.5) ? undefined : { order: mapOrder(random), writeFlags: flags(random) }

/** @param {Random} random */
const elements = random => random.list(0, 4, () => element(random, 1))

/** The end of a range, or null. @param {Random} random @param {(random: Random) => any} make */
const bound = (random, make) => random.chance(0.2) ? null : make(random)

/** @param {Random} random */
const value = random => element(random, 1)

/**
 * Selections in lists and maps: the end of the function's name, and its arguments.
 * @type {Record<string, (random: Random) => any[]>}
 */
const SELECTIONS = {
  ByIndex: random => [index(random)],
  ByIndexRange: random => random.chance(0.3) ? [index(random)] : [index(random), count(random)],
  ByRank: random => [index(random)],
  ByRankRange: random => random.chance(0.3) ? [index(random)] : [index(random), count(random)],
  ByValue: random => [value(random)],
  ByValueList: random => [elements(random)],
  ByValueRange: random => [bound(random, value), bound(random, value)],
  ByValueRelRankRange: random => random.chance(0.3) ? [value(random), index(random)] : [value(random), index(random), count(random)]
}

/** @type {Record<string, (random: Random) => any[]>} */
const KEY_SELECTIONS = {
  ByKey: random => [mapKey(random)],
  ByKeyList: random => [random.list(0, 4, () => mapKey(random))],
  ByKeyRange: random => [bound(random, mapKey), bound(random, mapKey)],
  ByKeyRelIndexRange: random => random.chance(0.3) ? [mapKey(random), index(random)] : [mapKey(random), index(random), count(random)]
}

/** @type {Record<string, (random: Random) => any[]>} */
const LIST_CALLS = {
  append: random => [value(random), listPolicy(random)],
  appendItems: random => [elements(random), listPolicy(random)],
  insert: random => [index(random), value(random), listPolicy(random)],
  insertItems: random => [index(random), elements(random), listPolicy(random)],
  set: random => [index(random), value(random), listPolicy(random)],
  increment: random => [index(random), step(random), listPolicy(random)],
  pop: random => [index(random)],
  popRange: random => [index(random), ...random.chance(0.3) ? [] : [count(random)]],
  remove: random => [index(random)],
  removeRange: random => [index(random), ...random.chance(0.3) ? [] : [count(random)]],
  clear: () => [],
  // Without padding, see contextItem().
  create: random => [random.pick([lists.order.UNORDERED, lists.order.ORDERED]), false, random.chance(0.2)],
  trim: random => [index(random), count(random)],
  sort: random => [random.pick([lists.sortFlags.DEFAULT, lists.sortFlags.DROP_DUPLICATES, 1, 3, 4])],
  setOrder: random => [random.pick([lists.order.UNORDERED, lists.order.ORDERED])],
  get: random => [index(random)],
  getRange: random => [index(random), ...random.chance(0.3) ? [] : [count(random)]],
  size: () => []
}

/** @type {Record<string, (random: Random) => any[]>} */
const MAP_CALLS = {
  put: random => [mapKey(random), value(random), mapPolicy(random)],
  putItems: random => [map(random, 1), mapPolicy(random)],
  increment: random => [mapKey(random), step(random), mapPolicy(random)],
  decrement: random => [mapKey(random), step(random), mapPolicy(random)],
  setPolicy: random => [{ order: mapOrder(random) }],
  create: random => [mapOrder(random), false],
  clear: () => [],
  size: () => []
}

const RETURN_TYPES = Object.values(maps.returnType).filter(type => type !== maps.returnType.INVERTED)

/** A context. Most contexts exist. @param {Random} random @returns {[string, ...any[]]} */
function contextItem (random) {
  return random.weighted([
    [3, () => ['addListIndex', random.int(-2, 3)]],
    // Not -1: server 8.1.2 crashes when it creates an unbounded list for it (`cdt_context_fill_create()` in cdt.c).
    [1, () => ['addListIndexCreate', random.int(0, 4), random.pick([0, 1]), random.chance(0.5)]],
    [1, () => ['addListRank', random.int(-2, 2)]],
    [1, () => ['addListValue', value(random)]],
    [1, () => ['addMapIndex', random.int(-2, 2)]],
    [1, () => ['addMapRank', random.int(-2, 2)]],
    [4, () => ['addMapKey', mapKey(random)]],
    [1, () => ['addMapKeyCreate', mapKey(random), mapOrder(random)]],
    [1, () => ['addMapValue', value(random)]]
  ])
}

/**
 * @param {Random} random
 * @param {'lists' | 'maps'} module
 * @param {string} bin
 * @returns {Operation}
 */
function collectionOperation (random, module, bin) {
  const calls = module === 'lists' ? LIST_CALLS : MAP_CALLS
  const selections = module === 'lists' ? SELECTIONS : { ...SELECTIONS, ...KEY_SELECTIONS }
  /** @type {Operation} */
  const operation = random.weighted([
    [1, () => {
      const name = random.pick(Object.keys(calls))
      return { call: `${module}.${name}`, args: [bin, ...calls[name](random)] }
    }],
    [1, () => {
      const name = random.pick(Object.keys(selections))
      const args = selections[name](random)
      // Server 8.1.2 crashes when it removes the inverse of an empty list of keys or values from a map.
      const isRisky = module === 'maps' && args[0]?.length === 0
      const inverts = /Range|List|ByValue$/.test(name) && !isRisky && random.chance(0.25)
      return {
        call: `${module}.${random.chance(0.65) ? 'get' : 'remove'}${name}`,
        args: [bin, ...args],
        returns: random.pick(RETURN_TYPES),
        ...inverts && { invert: true }
      }
    }]
  ])
  if (random.chance(0.2)) operation.context = random.list(1, 3, () => contextItem(random))
  // The last step of the context of a create also creates, see contextItem().
  const last = operation.context?.at(-1)
  if (operation.call.endsWith('.create') && last?.[0] === 'addListIndex') last[1] = Math.abs(last[1])
  return operation
}

/** Fills a bin for the operations. @param {Random} random @param {'lists' | 'maps'} module @param {string} bin @returns {Operation[]} */
function fill (random, module, bin) {
  if (module === 'maps') {
    return [
      { call: 'maps.create', args: [bin, mapOrder(random), false] },
      { call: 'maps.putItems', args: [bin, map(random), undefined] }
    ]
  }
  return [
    { call: 'lists.create', args: [bin, random.pick([0, 1]), false, random.chance(0.2)] },
    { call: 'lists.appendItems', args: [bin, list(random), undefined] }
  ]
}

module.exports = { collectionOperation, fill }
