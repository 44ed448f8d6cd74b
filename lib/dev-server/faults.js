'use strict'

// The faults of a dev server: a handle for an injected fault, and faults as text.

const { badOption } = require('../errors')

/** The numeric fields of a fault. */
const NUMBERS = ['node', 'times', 'probability', 'seed', 'lasts', 'ms', 'jitter']
/** Fields of a listed fault that are not settings. */
const NOT_SETTINGS = ['id', 'struck', 'isOver', 'kind']

class Fault {
  #control
  /** @type {number | undefined} how often it struck, after it was removed */
  #total

  /**
   * @param {(command: { command: string, [field: string]: unknown }) => Promise<any>} control
   * @param {number} id
   */
  constructor (control, id) {
    this.#control = control
    this.id = id
  }

  /** @param {number} [atLeast] */
  async struck (atLeast = 0) {
    return this.#total ?? await this.#control({ command: 'struck', id: this.id, atLeast })
  }

  async remove () {
    this.#total ??= await this.#clear()
    return this.#total
  }

  /** @returns {Promise<number>} how often it struck */
  async #clear () {
    try {
      return (await this.#control({ command: 'clearFault', id: this.id })).struck
    } catch (/** @type {any} */ error) {
      // It was already cleared. The server still knows how often it struck.
      if (error.code !== 'BAD_OPTION') throw error
      return this.#control({ command: 'struck', id: this.id })
    }
  }
}

/**
 * Parses the text of a fault, such as `latency ms=20 on=read,write`.
 *
 * @param {string} text
 * @returns {{ [field: string]: any }}
 */
function parseFault (text) {
  const [kind, ...settings] = text.split(/\s+/).filter(word => word !== '')
  if (kind === undefined || kind.includes('=')) throw badOption(`a fault starts with its kind, such as 'latency ms=20': '${text}'`)
  /** @type {{ [field: string]: any }} */
  const fault = { kind }
  for (const setting of settings) {
    const at = setting.indexOf('=')
    const [name, value] = [setting.slice(0, at), setting.slice(at + 1)]
    if (at < 1 || value === '') throw badOption(`'${setting}' in a fault must be a name=value`)
    if (name in fault) throw badOption(`'${name}' is in a fault twice`)
    fault[name] = parseValue(name, value)
  }
  return fault
}

/**
 * @param {string} name
 * @param {string} value
 */
function parseValue (name, value) {
  if (name === 'on') return value.split(',')
  if (name === 'code' && /^\d+$/.test(value)) return Number(value)
  if (!NUMBERS.includes(name)) return value
  if (!/^\d+(\.\d+)?$/.test(value)) throw badOption(`'${name}' in a fault must be a number, not '${value}'`)
  return Number(value)
}

/**
 * Returns the text of a fault.
 * @param {{ [field: string]: any }} fault
 */
function formatFault (fault) {
  const settings = Object.entries(fault).filter(([name, value]) => value !== null && !NOT_SETTINGS.includes(name))
  return [fault.kind, ...settings.map(([name, value]) => `${name}=${value}`)].join(' ')
}

module.exports = { Fault, formatFault, parseFault }
