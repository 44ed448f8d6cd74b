'use strict'

// Shrinks a history that has a difference: fewer steps first, then smaller ones.

/** @typedef {import('./history').Step} Step */
/** @typedef {import('./history').Difference} Difference */

/** Maximum number of replays, and of milliseconds. */
const LIMITS = { replays: 300, time: 15_000 }

/** Whether a server could not be reached. Then shrinking is useless. @param {Difference} difference */
function isLost ({ left, right }) {
  return [left, right].some(({ status }) => typeof status === 'number' && status < -2)
}

/**
 * Yields shorter versions of a list: without its first half, second half, quarters, …, each single item.
 * @template T
 * @param {T[]} list
 * @returns {Generator<T[]>}
 */
function * shorter (list) {
  for (let size = Math.ceil(list.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < list.length; start += size) {
      yield [...list.slice(0, start), ...list.slice(start + size)]
    }
  }
}

/** Without these properties, a step is invalid, is another step, or crashes the official client. */
const NEEDED = new Set(['kind', 'client', 'key', 'index', 'bin', 'type', 'datatype', 'method', 'args', 'command', 'store', 'id', 'where',
  'bins', 'operations', 'readAllBins', 'rows', 'steps'])
/** Properties that can be left out, but not shrunk. */
const WHOLE = new Set(['context', 'where'])
/** Lists with at least one item, for the same reason. */
const NEVER_EMPTY = new Set(['operations', 'rows', 'steps', 'command'])
const LOGIC = new Set(['and', 'or', 'exclusive', 'not'])

/**
 * Yields smaller versions of a step, or of a part of one.
 * @param {any} value
 * @returns {Generator<any>}
 */
function * smaller (value) {
  if (Array.isArray(value)) {
    yield * shorter(value)
    yield * smallerItems(value)
  } else if (value instanceof Map) {
    for (const less of shorter([...value])) yield new Map(less)
  } else if (value?.exp !== undefined) {
    if (LOGIC.has(value.exp)) yield * value.args
  } else if (value?.call !== undefined) {
    yield * smallerOperation(value)
  } else if (Object.prototype.toString.call(value) === '[object Object]' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const name of Object.keys(value)) {
      if (NEEDED.has(name)) continue
      const { [name]: field, ...rest } = value
      yield rest
    }
    for (const [name, field] of Object.entries(value)) {
      if (WHOLE.has(name)) continue
      for (const less of smaller(field)) {
        if (!NEVER_EMPTY.has(name) || less.length > 0) yield { ...value, [name]: less }
      }
    }
  }
}

/** @param {any[]} items @returns {Generator<any[]>} */
function * smallerItems (items) {
  for (const [index, item] of items.entries()) {
    for (const less of smaller(item)) yield items.with(index, less)
  }
}

/** Yields smaller versions of an operation with the same number of arguments. @param {any} operation @returns {Generator<any>} */
function * smallerOperation ({ context, ...operation }) {
  if (context !== undefined) {
    yield operation
    for (const less of shorter(context)) if (less.length > 0) yield { ...operation, context: less }
  }
  const inside = context && { context }
  for (const args of smallerItems(operation.args)) yield { ...operation, ...inside, args }
}

/** @param {Step[]} steps @returns {Generator<Step[]>} */
function * candidates (steps) {
  yield * shorter(steps)
  for (const [index, step] of [...steps.entries()].reverse()) {
    for (const less of smaller(step)) yield steps.with(index, less)
  }
}

/**
 * @param {Difference} difference
 * @param {(steps: Step[]) => Promise<Difference | null>} find
 * @returns {Promise<Difference>} with the same status on the left, and on the right
 */
async function shrink (difference, find) {
  let replays = 0
  const start = Date.now()
  for (let found = true; found;) {
    found = false
    for (const steps of candidates(difference.steps)) {
      if (replays++ >= LIMITS.replays || Date.now() - start > LIMITS.time) return difference
      const next = await find(steps).catch(() => null)
      if (next === null || next.left.status !== difference.left.status || next.right.status !== difference.right.status) continue
      if (next.steps.at(-1)?.kind !== difference.steps.at(-1)?.kind) continue
      difference = next
      found = true
      break
    }
  }
  return difference
}

module.exports = { isLost, shrink }
