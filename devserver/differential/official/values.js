'use strict'

// Random values of every type of bin, from small pools, so that equal values occur.

const aerospike = require('aerospike')

/** @typedef {import('../random').Random} Random */

const { Double } = aerospike
const MAX = 2n ** 63n - 1n
const MIN = -(2n ** 63n)

const INTEGERS = [MAX, MIN, MAX - 1n, MIN + 1n, 127, 128, -128, -129, 255, 256, 32767, 32768, 65535, 65536, -32, -33,
  2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]
const DOUBLES = [new Double(1), new Double(-0), new Double(0), 1.5, -1.5, NaN, Infinity, -Infinity, Number.MIN_VALUE,
  Number.MAX_VALUE, new Double(2 ** 53)]
const STRINGS = ['', 'a', 'b', 'ab', 'é', '\u0000', '😀', 'x'.repeat(31), 'y'.repeat(32), 'z'.repeat(300)]
const BLOBS = [[], [0], [1], [0, 0], [255], [1, 2, 3]].map(bytes => Buffer.from(bytes))

/** @param {Random} random @returns {any} */
function scalar (random) {
  return random.weighted([
    [8, () => random.int(0, 5)],
    [4, () => random.pick(['a', 'b', 'c'])],
    [1, () => random.pick(INTEGERS)],
    [1, () => random.pick(DOUBLES)],
    [1, () => random.pick(STRINGS)],
    [1, () => random.pick(BLOBS)],
    [1, () => random.chance(0.5)]
  ])
}

/** A value in a list or map, which may be null, a list or a map. @param {Random} random @param {number} depth @returns {any} */
function element (random, depth = 2) {
  return random.weighted([
    [8, () => scalar(random)],
    [0.7, () => null],
    [depth > 0 ? 1 : 0, () => list(random, depth - 1)],
    [depth > 0 ? 1 : 0, () => map(random, depth - 1)]
  ])
}

/** @param {Random} random @param {number} depth @returns {any[]} */
function list (random, depth = 2) {
  return random.list(0, 5, () => element(random, depth))
}

/** @param {Random} random @returns {any} */
function mapKey (random) {
  return random.weighted([
    [8, () => random.pick(['a', 'b', 'c', 'd'])],
    [4, () => random.int(0, 4)],
    [1, () => random.pick(STRINGS)],
    [1, () => random.pick(INTEGERS)],
    [1, () => random.pick(BLOBS)],
    [0.15, () => random.pick([1.5, true, null])]
  ])
}

/** @param {Random} random @param {number} depth @returns {Map<any, any>} */
function map (random, depth = 2) {
  return new Map(random.list(0, 5, () => [mapKey(random), element(random, depth)]))
}

/** Nested lists, some of them deep. @param {Random} random */
function deep (random) {
  let value = scalar(random)
  for (let depth = random.pick([10, 31, 64, 200]); depth > 0; depth--) value = random.chance(0.5) ? [value] : { k: value }
  return value
}

/** A value of a bin; null removes the bin. @param {Random} random @returns {any} */
function binValue (random) {
  return random.weighted([
    [10, () => scalar(random)],
    [3, () => list(random)],
    [3, () => map(random)],
    [0.6, () => null],
    [0.2, () => deep(random)],
    [0.1, () => Buffer.alloc(random.pick([1024, 100_000, 1_040_000, 1_048_400, 1_048_576, 2_000_000]), 7)]
  ])
}

const BINS = ['a', 'b', 'l', 'm', 'fifteen-letters']

/** @param {Random} random @returns {string} */
function binName (random) {
  return random.pick(BINS)
}

/** @param {Random} random @returns {Record<string, any>} */
function bins (random) {
  return Object.fromEntries(random.list(random.chance(0.03) ? 0 : 1, 4, () => [binName(random), binValue(random)]))
}

module.exports = { BINS, binName, binValue, bins, element, list, map, mapKey, scalar }
