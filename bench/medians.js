'use strict'

// The medians of several rounds, separately for each number.

/** @param {number[]} numbers */
function median (numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * @template {Record<string, number>} T
 * @param {T[]} rounds
 * @returns {T}
 */
function medians (rounds) {
  return /** @type {T} */ (Object.fromEntries(Object.keys(rounds[0]).map(name => [name, median(rounds.map(round => round[name]))])))
}

/**
 * Returns the medians of each store.
 *
 * @template {Record<string, number>} T
 * @param {Record<string, T[]>} stores
 * @returns {Record<string, T>}
 */
function mediansOfEach (stores) {
  return Object.fromEntries(Object.entries(stores).map(([store, rounds]) => [store, medians(rounds)]))
}

/**
 * Returns quantiles. Sorts the numbers in place.
 *
 * @param {Float64Array} numbers
 * @param {number[]} parts 0.99 for the 99th percentile
 */
function quantiles (numbers, parts) {
  const sorted = numbers.sort()
  return parts.map(part => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))])
}

module.exports = { median, medians, mediansOfEach, quantiles }
