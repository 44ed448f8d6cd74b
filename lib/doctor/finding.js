'use strict'

// The findings that checks report, and helpers for their text.

/**
 * @typedef {'ok' | 'note' | 'warning' | 'problem'} Level
 *   note: not a fault, but worth knowing. warning: will do harm some day. problem: does harm now, or will soon
 * @typedef {'Connection' | 'Cluster' | 'Namespace' | 'Clock' | 'Sessions'} About
 * @typedef {{ level: Level, code: string, about: About, text: string, advice?: string }} Finding
 *   advice: what to do; missing only if the level is ok
 * @typedef {import('./facts').Facts} Facts
 * @typedef {import('./facts').NodeFacts} NodeFacts
 */

/** Collects the findings about one subject. */
class Findings {
  /** @type {Finding[]} */
  list = []
  #about

  /** @param {About} about */
  constructor (about) {
    this.#about = about
  }

  /**
   * @param {string} code
   * @param {string} text
   */
  ok (code, text) {
    this.list.push({ level: 'ok', code, about: this.#about, text })
  }

  /**
   * @param {Exclude<Level, 'ok'>} level
   * @param {string} code
   * @param {string} text
   * @param {string} advice
   */
  add (level, code, text, advice) {
    this.list.push({ level, code, about: this.#about, text, advice })
  }

  /** @param {string} code */
  has (code) {
    return this.list.some(finding => finding.code === code)
  }
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
function plural (count, one, many = `${one}s`) {
  return `${count} ${count === 1 ? one : many}`
}

/**
 * Returns the nodes' addresses for a message.
 * @param {NodeFacts[]} nodes
 */
function named (nodes) {
  return `${nodes.length === 1 ? 'node' : 'nodes'} ${nodes.map(({ address }) => address).join(', ')}`
}

/**
 * Returns a number that the server reported, or undefined.
 * @param {Record<string, string> | undefined} values
 * @param {string} name
 */
function number (values, name) {
  const text = values?.[name]
  const value = Number(text)
  return text === undefined || text === '' || !Number.isFinite(value) ? undefined : value
}

/**
 * Returns advice for changing a setting of a namespace, both at run time and permanently.
 *
 * @param {string} namespace
 * @param {string} setting
 */
function setting (namespace, setting) {
  const [name, value] = setting.split('=')
  return `asadm --enable -e "manage config namespace ${namespace} param ${name} to ${value}", and the same in aerospike.conf`
}

/** @param {number} size */
function bytes (size) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, size)) / 10))
  const scaled = size / 1_024 ** unit
  return `${unit > 0 && scaled < 10 ? scaled.toFixed(1) : Math.round(scaled)} ${units[unit]}`
}

module.exports = { Findings, bytes, named, number, plural, setting }
