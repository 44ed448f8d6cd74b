'use strict'

// Random filter expressions, as data: a function of the client's `exp` and its arguments.

const aerospike = require('aerospike')
const { BINS, list, map } = require('./values')

/** @typedef {import('../random').Random} Random */
/** @typedef {{ exp: string, args: any[] }} Expression */

const { exp } = aerospike

/** @param {string} name @param {...any} args @returns {Expression} */
const call = (name, ...args) => ({ exp: name, args })

/** @type {((random: Random, depth: number) => Expression)[]} */
const INTEGERS = [
  random => call('int', random.int(-2, 6)),
  random => call('int', random.pick([2n ** 63n - 1n, -(2n ** 63n), 2 ** 31])),
  random => call('binInt', random.pick(BINS)),
  random => call('binInt', random.pick(BINS)),
  random => call('binType', random.pick(BINS)),
  random => call('digestModulo', random.pick([1, 2, 3, 7])),
  (random, depth) => call(random.pick(['add', 'sub', 'mul', 'div', 'min', 'max', 'intAnd', 'intOr', 'intXor']),
    integer(random, depth - 1), integer(random, depth - 1)),
  (random, depth) => call(random.pick(['mod', 'intLshift', 'intRshift', 'intArshift']), integer(random, depth - 1), integer(random, depth - 1)),
  (random, depth) => call(random.pick(['abs', 'intNot', 'intCount']), integer(random, depth - 1)),
  (random, depth) => call('intLscan', integer(random, depth - 1), call('bool', random.chance(0.5))),
  (random, depth) => call('toInt', float(random, depth - 1)),
  (random, depth) => call('cond', filter(random, depth - 1), integer(random, depth - 1), integer(random, depth - 1)),
  random => call('lists.size', call('binList', 'l')),
  random => call('maps.size', call('binMap', 'm')),
  random => call('lists.getByIndex', call('binList', 'l'), call('int', random.int(-2, 2)), exp.type?.INT ?? 2, 7),
  random => call('keyInt')
]

/** @type {((random: Random, depth: number) => Expression)[]} */
const FLOATS = [
  random => call('float', random.pick([0.5, 1.5, -1.5, 1e300])),
  random => call('binFloat', random.pick(BINS)),
  (random, depth) => call(random.pick(['add', 'sub', 'mul', 'div', 'min', 'max']), float(random, depth - 1), float(random, depth - 1)),
  (random, depth) => call(random.pick(['pow', 'log']), float(random, depth - 1), float(random, depth - 1)),
  (random, depth) => call(random.pick(['abs', 'floor', 'ceil']), float(random, depth - 1)),
  (random, depth) => call('toFloat', integer(random, depth - 1))
]

/** @type {((random: Random) => Expression)[]} */
const STRINGS = [
  random => call('str', random.pick(['', 'a', 'b', 'ab'])),
  random => call('binStr', random.pick(BINS)),
  random => call('keyStr')
]

/** @type {((random: Random) => Expression)[]} */
const OTHERS = [
  random => call('list', list(random, 1)),
  random => call('binList', random.pick(BINS)),
  random => call('map', map(random, 1)),
  random => call('binMap', random.pick(BINS)),
  random => call('bool', random.chance(0.5)),
  random => call('binBool', random.pick(BINS)),
  random => call('bytes', Buffer.from([random.int(0, 2)]), 1),
  random => call('binBlob', random.pick(BINS)),
  random => call('nil')
]

/** @param {Random} random @param {number} depth @returns {Expression} */
function integer (random, depth) {
  return random.pick(depth > 0 ? INTEGERS : INTEGERS.slice(0, 4))(random, depth)
}

/** @param {Random} random @param {number} depth @returns {Expression} */
function float (random, depth) {
  return random.pick(depth > 0 ? FLOATS : FLOATS.slice(0, 2))(random, depth)
}

/** Two sides, mostly of the same type. @param {Random} random @param {number} depth @returns {[Expression, Expression]} */
function sides (random, depth) {
  const make = random.weighted([
    [6, () => integer],
    [2, () => float],
    [3, () => (/** @type {Random} */ random) => random.pick(STRINGS)(random)]
  ])
  if (random.chance(0.1)) return [random.pick(OTHERS)(random), random.pick(OTHERS)(random)]
  return [make(random, depth), random.chance(0.05) ? random.pick(OTHERS)(random) : make(random, depth)]
}

/** Compares metadata of a record with values that are very different. @param {Random} random @returns {Expression} */
function metadata (random) {
  const compare = random.pick(['gt', 'ge', 'lt', 'le', 'ne'])
  return random.weighted([
    [3, () => call(compare, call('ttl'), call('int', random.pick([-2, -1, 0, 500, 50_000])))],
    [1, () => call(compare, call('voidTime'), call('int', random.pick([-2, -1, 0, 1_000, 2n ** 62n])))],
    [1, () => call(compare, call('sinceUpdate'), call('int', random.pick([-1, 600_000])))],
    [1, () => call(compare, call('lastUpdate'), call('int', random.pick([0, 2n ** 62n])))],
    [1, () => call('isTombstone')],
    [1, () => call('keyExist')],
    [1, () => call(random.pick(['eq', 'ne']), call('setName'), call('str', random.pick(['', 'other'])))]
  ])
}

/** An expression that is true, false or unknown. @param {Random} random @param {number} depth @returns {Expression} */
function filter (random, depth = 2) {
  return random.weighted([
    [4, () => call(random.pick(['eq', 'ne', 'gt', 'ge', 'lt', 'le']), ...sides(random, depth))],
    [2, () => call('binExists', random.pick(BINS))],
    [2, () => metadata(random)],
    [depth > 0 ? 3 : 0, () => call(random.pick(['and', 'or', 'exclusive']), ...random.list(2, 3, () => filter(random, depth - 1)))],
    [depth > 0 ? 1 : 0, () => call('not', filter(random, depth - 1))],
    [0.5, () => call('cmpRegex', random.pick([0, 1, 2]), random.pick(['a', '^a$', 'A|b', '[']), random.pick(STRINGS)(random))],
    [0.5, () => call('binBool', random.pick(BINS))],
    [0.2, () => call('unknown')],
    [0.2, () => integer(random, 0)],
    [0.3, () => call('eq', call('lists.getByValue', call('binList', 'l'), literal(random), 5), call('int', random.int(0, 2)))],
    [0.3, () => call('gt', call('maps.getByKey', call('binMap', 'm'), call('str', 'a'), 2, 7), integer(random, 0))]
  ])
}

/** @param {Random} random @returns {Expression} */
function literal (random) {
  return random.weighted([
    [3, () => call('int', random.int(0, 5))],
    [3, () => call('str', random.pick(['a', 'b']))],
    [1, () => call('float', 1.5)],
    [1, () => call('list', list(random, 1))],
    [1, () => call('nil')]
  ])
}

/** An expression of any type, for operations that read or write its value. @param {Random} random @returns {Expression} */
function anyExpression (random) {
  return random.weighted([
    [3, () => integer(random, 2)],
    [2, () => float(random, 2)],
    [2, () => filter(random)],
    [1, () => random.pick(STRINGS)(random)],
    [1, () => random.pick(OTHERS)(random)]
  ])
}

module.exports = { anyExpression, filter }
