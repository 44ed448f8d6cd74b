'use strict'

// Random steps through this package: a SessionStore and AerospikeStores with the same few sessions.

const { AerospikeStore, SessionStore } = require('../../index.js')

/** @typedef {import('./random').Random} Random */
/** @typedef {import('./history').Step} Step */
/** @typedef {import('./history').Outcome} Outcome */

const IDS = ['a', 'b', 'c', 'é', 'x'.repeat(200)]
/** In seconds, so long that no session expires during a history. */
const TTLS = [1_000, 86_400, 315_360_000]

/** The options of each store. All use the same set. @type {Record<string, Record<string, any>>} */
const STORES = {
  merge: { conflict: 'merge' },
  overwrite: { conflict: 'overwrite' },
  json: { format: 'json' },
  ids: { storeIds: true, prefix: 'i:' },
  tombstones: { tombstones: true },
  absolute: { absoluteTtl: 100_000, touchAfter: 10 },
  onRead: { touchOnRead: 50 }
}

/** @param {Random} random @param {number} depth @returns {any} */
function value (random, depth = 2) {
  return random.weighted([
    [4, () => random.int(-3, 3)],
    [3, () => random.pick(['', 'a', 'é', '😀', '\ud800', 'x'.repeat(1_000)])],
    [2, () => random.pick([null, true, false, 1.5, -0, 2 ** 53, 1e300, -(2 ** 63)])],
    [depth > 0 ? 1 : 0, () => random.list(0, 3, () => value(random, depth - 1))],
    [depth > 0 ? 2 : 0, () => data(random, depth - 1)]
  ])
}

/** @param {Random} random @param {number} depth @returns {Record<string, any>} */
function data (random, depth = 2) {
  return Object.fromEntries(random.list(0, 4, () => [random.pick(['n', 'user', 'cart', '', '1', 'é', 'cookies']), value(random, depth)]))
}

/** @param {Random} random */
function session (random) {
  return { ...data(random), ...random.chance(0.01) && { big: 'x'.repeat(1_100_000) }, cookie: { path: '/', originalMaxAge: null, ...random.some(0.3, { httpOnly: () => random.chance(0.5) }) } }
}

/** @param {Random} random @returns {Step} */
function ourStep (random) {
  const id = random.pick(IDS)
  const store = random.pick(Object.keys(STORES))
  const ttl = random.pick(TTLS)
  const plain = (/** @type {string} */ method, /** @type {any[]} */ ...args) => ({ kind: 'session', method, args: [id, ...args] })
  const express = (/** @type {string} */ method, /** @type {any[]} */ ...args) => ({ kind: 'express', store, method, args })
  return random.weighted([
    [3, () => plain('save', data(random), { ttl })],
    [3, () => plain('get')],
    [1, () => plain('touch', { ttl })],
    [1, () => plain('delete')],
    [1, () => plain('has')],
    [4, () => express('set', id, session(random))],
    [4, () => express('get', id)],
    // As in a request, the session that is set was read before.
    [4, () => ({ kind: 'request', store, id, change: data(random) })],
    [2, () => express('touch', id, session(random))],
    [1, () => express('destroy', id)],
    [1, () => express('all')],
    [1, () => express('length')],
    [1, () => ({ kind: 'express', store: 'ids', method: 'ids', args: [] })],
    [0.3, () => express('clear')]
  ])
}

/** A server, used through this package. */
class OurTarget {
  #sessions
  /** @type {Record<string, any>} */
  #stores

  /** @param {string} hosts @param {{ namespace: string, set: string }} where */
  constructor (hosts, { namespace, set }) {
    const client = new SessionStore({ hosts, namespace, set })
    this.#sessions = client
    this.#stores = Object.fromEntries(Object.entries(STORES).map(([name, own]) => {
      return [name, new AerospikeStore(/** @type {any} */ ({ client, ...own }))]
    }))
  }

  /** @param {Step} step @returns {Promise<Outcome>} */
  async run (step) {
    try {
      return { status: 0, value: visible(await this.#do(step)) }
    } catch (error) {
      const { name, code, message, resultCode } = /** @type {any} */ (error)
      if (name !== 'AerospikeSessionError') return { status: `${name}: ${message}` }
      return { status: `${code} ${resultCode}` }
    }
  }

  /** @param {Step} step */
  async #do ({ kind, store, method, args, id, change }) {
    if (kind === 'session') return /** @type {any} */ (this.#sessions)[method](...args)
    if (kind === 'express') return this.#stores[store][method](...args.map(structuredClone))
    const session = await this.#stores[store].get(id)
    if (session === null) return null
    await this.#stores[store].set(id, Object.assign(session, change))
    return this.#stores[store].get(id)
  }

  async clean () {
    await this.#stores.merge.clear()
  }

  async close () {
    await this.#sessions.close()
  }
}

const TIMES = new Set(['expires', 'originalMaxAge'])

/** Removes times, and sorts lists of sessions. @param {any} value */
function visible (value) {
  const text = JSON.stringify(value, (name, field) => TIMES.has(name) && field !== null ? 'some' : field)
  if (text === undefined) return undefined
  const copy = JSON.parse(text)
  return Array.isArray(copy) ? copy.map(item => JSON.stringify(item)).sort() : copy
}

module.exports = { OurTarget, ourStep }
