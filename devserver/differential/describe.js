'use strict'

// Prints steps and outcomes, one line each, as JavaScript.

const { inspect } = require('node:util')

/** @param {any} value @returns {any} */
function readable (value) {
  if (Buffer.isBuffer(value)) return new Text(value.length > 64 ? `Buffer(${value.length})` : `x'${value.toString('hex')}'`)
  if (typeof value === 'string' && value.length > 200) return new Text(`'${value.slice(0, 8)}…' (${value.length})`)
  if (Array.isArray(value)) return value.map(readable)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [readable(key), readable(item)]))
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return value
  if (value.exp !== undefined) return new Text(`${value.exp}(${value.args.map(describe).join(', ')})`)
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined).map(([name, field]) => [name, readable(field)]))
}

/** Text that is printed without quotation marks. */
class Text {
  #text

  /** @param {string} text */
  constructor (text) {
    this.#text = text
  }

  [inspect.custom] () {
    return this.#text
  }
}

/** @param {any} value @returns {string} */
function describe (value) {
  return inspect(readable(value), { depth: Infinity, breakLength: Infinity, compact: Infinity, maxArrayLength: 100 })
}

module.exports = { describe }
