'use strict'

// Scans a whole set, page by page. A page is a range of partitions.

/** The number of partitions of every namespace, a constant of Aerospike. */
const PARTITIONS = 4_096

/**
 * Yields the pages of a set. Adjusts the number of partitions per page so that a page holds about a batch of records.
 *
 * @template T
 * @param {(first: number, count: number) => Promise<T> | T} ask requests a page: `count` partitions, starting with `first`
 * @param {number} batch
 * @param {(page: T) => number} sizeOf
 * @returns {AsyncGenerator<{ page: T, done: number }>} `done`: the share of the set that is scanned, from 0 to 1
 */
async function * pages (ask, batch, sizeOf) {
  let width = 64
  for (let first = 0; first < PARTITIONS;) {
    const count = Math.min(width, PARTITIONS - first)
    const page = await ask(first, count)
    first += count
    yield { page, done: first / PARTITIONS }
    if (sizeOf(page) < batch / 2) width *= 2
    else if (sizeOf(page) > batch) width = Math.max(1, width >> 1)
  }
}

module.exports = { pages }
