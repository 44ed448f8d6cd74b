'use strict'

// Warnings: emitted as an event, or as a process warning if the event has no listener.

/** @typedef {import('../index').SessionStoreWarning} Warning */

/** @type {Record<string, string>} */
const MESSAGES = {
  TTL_REFUSED: 'the namespace refuses TTLs (nsup-period is 0 and allow-ttl-without-nsup is false): sessions are ' +
    'stored without one. They still end on time, but the server does not remove them: prune() does',
  NO_USER_INDEX: "the sessions of a user were looked for without an index on bin 'user', by reading every record " +
    'of the set: createUserIndex() makes one',
  TOUCH_ON_READ_UNSUPPORTED: "option 'touchOnRead' needs Aerospike 7.1 or later on every node: until then the store writes each touch",
  LIMIT_NOT_ENFORCED: "a login succeeded, but option 'maxSessionsPerUser' could not be enforced: its user may have more sessions until the " +
    'next login',
  UNREADABLE: 'a record that should hold a session cannot be read: it is none, or is encrypted with a key that is not in option ' +
    "'encryptionKeys', or the function in option 'reviver' rejects it. It stays as it is; get() fails with BAD_DATA, and all(), sessions() and sessionsOf() leave it out"
}

/**
 * @param {import('node:events').EventEmitter} emitter
 * @param {string} code
 * @param {string | null} [message] the message, or what is added to the fixed message of the code
 */
function warn (emitter, code, message) {
  const fixed = MESSAGES[code]
  const text = fixed === undefined || !message ? fixed ?? message : `${fixed} (${message})`
  emitWarning(emitter, /** @type {Warning} */ ({ code, message: text }))
}

/**
 * @param {import('node:events').EventEmitter} emitter
 * @param {Warning} warning
 */
function emitWarning (emitter, warning) {
  if (!emitter.emit('warning', warning)) announce(warning)
}

/** @param {{ code: string, message: string }} warning */
function announce (warning) {
  process.emitWarning(warning.message, { type: 'AerospikeSessionWarning', code: warning.code })
}

module.exports = { announce, emitWarning, warn }
