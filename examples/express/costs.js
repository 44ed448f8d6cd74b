'use strict'

// Records the store operations of each request for the footer of every page. A real site needs sums and distributions instead,
// which `store.stats()` has.

const { AsyncLocalStorage } = require('node:async_hooks')

/**
 * @typedef {{ method: string, ms: number }} Operation
 * @typedef {{ request: string, operations: Operation[] }} Cost
 */

const METHODS = ['get', 'set', 'touch', 'destroy', 'sessionsOf', 'destroyOf']
const SESSIONS = 1_000

/** The operations of the current request. @type {AsyncLocalStorage<Operation[]>} */
const underWay = new AsyncLocalStorage()

/** The cost of each session's last request, for recent sessions of this process. @type {Map<string, Cost>} */
const costs = new Map()

/**
 * Wraps the methods of a store to record its operations and their durations.
 * @template {import('express-session').Store} T
 * @param {T} store
 */
function noting (store) {
  const methods = /** @type {any} */ (store)
  for (const method of METHODS) {
    const operation = methods[method].bind(store)
    methods[method] = (/** @type {any[]} */ ...args) => {
      const start = performance.now()
      const operations = underWay.getStore()
      const note = () => { operations?.push({ method, ms: performance.now() - start }) }
      const callback = args.at(-1)
      if (typeof callback !== 'function') return operation(...args).finally(note)
      operation(...args.slice(0, -1), (/** @type {any[]} */ ...results) => {
        note()
        callback(...results)
      })
    }
  }
  return store
}

/**
 * Keeps the cost of a request for the next page of its session.
 * @type {import('express').RequestHandler}
 */
const noteCost = (req, res, next) => {
  /** @type {Operation[]} */
  const operations = []
  res.once('finish', () => {
    if (operations.length === 0) return
    costs.delete(req.sessionID)
    costs.set(req.sessionID, { request: `${req.method} ${req.path}`, operations })
    const [oldest] = costs.keys()
    if (costs.size > SESSIONS) costs.delete(oldest)
  })
  return underWay.run(operations, next)
}

/** @param {import('express').Request} req */
const lastCost = req => costs.get(req.sessionID)

module.exports = { noting, noteCost, lastCost }
