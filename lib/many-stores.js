'use strict'

// Counts the stores of this process that have their own connection to the same hosts. An application that makes a store for
// each request opens threads and sockets each time, so a warning is emitted once.

const { announce } = require('./warnings')

const MANY = 10
const MESSAGE = `${MANY} stores of this process are open that have connections of their own to the same hosts. Make one store when ` +
  "the application starts, not one for each request. Stores with different options can share a connection by option 'client'"

/** The number of open stores by hosts. @type {Map<string, number>} */
const open = new Map()
/** @type {Set<string>} */
const warned = new Set()

/**
 * Counts a store that opens.
 *
 * @param {import('./options/hosts').Host[]} hosts
 * @returns {() => void} must be called once, when the store closes
 */
function count (hosts) {
  const key = JSON.stringify(hosts)
  const stores = (open.get(key) ?? 0) + 1
  open.set(key, stores)
  if (stores === MANY && !warned.has(key)) {
    warned.add(key)
    announce({ code: 'MANY_STORES', message: MESSAGE })
  }
  return () => {
    const left = /** @type {number} */ (open.get(key)) - 1
    if (left === 0) open.delete(key)
    else open.set(key, left)
  }
}

module.exports = { count }
