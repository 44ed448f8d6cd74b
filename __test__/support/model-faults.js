'use strict'

// The faults in the model-based test: faults of a dev server that affect one session.

/** The faults that a step of a history can inject. */
const MODEL_FAULTS = [
  // Latency shorter and longer than `timeout`.
  { kind: 'latency', ms: 15 }, { kind: 'latency', ms: 60, on: 'read' }, { kind: 'latency', ms: 60, on: ['write', 'delete'] },
  { kind: 'latency', ms: 400, on: ['write', 'delete'], times: 2 }, { kind: 'latency', ms: 400, on: 'write', times: 6 },
  { kind: 'latency', ms: 400, on: 'read', times: 4 }, { kind: 'latency', ms: 100, when: 'after', on: ['write', 'delete'] },
  { kind: 'latency', ms: 400, when: 'after', on: ['write', 'delete'], times: 4 },
  // Error codes, both transient and permanent.
  ...[14, 18].flatMap(code => [
    { kind: 'code', code, times: 1 }, { kind: 'code', code, on: ['write', 'delete'], times: 3 }, { kind: 'code', code, on: 'write' }
  ]),
  // A refused TTL: once, twice, sometimes, always.
  { kind: 'code', code: 22, on: 'write', times: 1 }, { kind: 'code', code: 22, on: 'write', times: 2 },
  { kind: 'code', code: 22, on: 'write', probability: 0.5 }, { kind: 'code', code: 22, on: ['write', 'delete'] },
  { kind: 'code', code: 9, when: 'after', on: ['write', 'delete'], times: 1 }, { kind: 'code', code: 9, when: 'after', on: 'write' },
  { kind: 'overload' },
  // Lost answers: the write is applied, and the connection breaks.
  ...['reset', 'drop', 'silent'].flatMap(kind => [
    { kind, when: 'after', on: ['write', 'delete'], times: 1 }, { kind, when: 'after', on: ['write', 'delete'], times: 12 }
  ]),
  { kind: 'reset', when: 'midReply', times: 2 }, { kind: 'drop', times: 2 }, { kind: 'drop', on: 'read' }
]

/** Error codes that these faults may cause. */
const ERRORS = ['TIMEOUT', 'UNAVAILABLE', 'OVERLOAD', 'FORBIDDEN', 'SERVER', 'CONFLICT', 'BAD_KEY']

/** The faults of one history. */
class ModelFaults {
  #server
  #set
  /** @type {import('../../exports/dev-server').Fault[]} */
  #faults = []

  /** @param {import('../../exports/dev-server').DevServer} server @param {string} set */
  constructor (server, set) {
    this.#server = server
    this.#set = set
  }

  async begin (key, options, seed) {
    const chance = options.probability === undefined ? {} : { seed }
    this.#faults.push(await this.#server.inject({ ...options, ...chance, set: this.#set, key }))
  }

  async end () {
    for (const fault of this.#faults.splice(0)) await fault.remove()
  }
}

module.exports = { ERRORS, MODEL_FAULTS, ModelFaults }
