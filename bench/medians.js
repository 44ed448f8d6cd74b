'use strict'

// Of several rounds, the median: of each number by itself.

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

module.exports = { median, medians }
