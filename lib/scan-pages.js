'use strict'

// A walk over a whole set, some of its partitions at a time.

/** Partitions of every namespace: a constant of Aerospike. */
const PARTITIONS = 4_096

/**
 * As many partitions at a time as hold about a batch of records.
 *
 * @template T
 * @param {(first: number, count: number) => Promise<T> | T} ask for a page: of how many partitions, from which on
 * @param {number} batch
 * @param {(page: T) => number} sizeOf
 * @returns {AsyncGenerator<{ page: T, done: number }>} `done`: the share, from 0 to 1
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
