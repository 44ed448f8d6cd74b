'use strict'

const fs = require('node:fs')
const operations = require('../../operations')
const { idFault } = require('../../options/validate')
const { UsageError } = require('../usage')
const { REMOVING, optionsOf, printRemoved, refuse, withStore } = require('./store')

const DIGEST = /^[0-9a-f]{40}$/i
const LINE_END = /\r?\n$/

/**
 * Returns the session id. `-` stands for standard input.
 * @param {string | undefined} argument
 */
function idFrom (argument) {
  const id = argument === '-' ? fs.readFileSync(0, 'utf8').replace(LINE_END, '') : argument
  const fault = id === undefined ? 'destroy needs a session id, or --digest' : idFault(id)
  if (fault !== undefined) throw new UsageError(fault)
  return /** @type {string} */ (id)
}

/** @type {import('../help').Command} */
module.exports = {
  usage: 'sessions destroy ID | --digest DIGEST [options]',
  summary: 'removes one session',
  text: `  Removes the session with this id, or the one whose key has this digest: as events, errors and
  sessionsOf() show it. Every process list shows the command line: with - as the ID, the id is
  read from standard input.
`,
  ...optionsOf(['hash-ids', ...REMOVING], { digest: { type: 'string' } }, '  --digest DIGEST     the digest of the key of the session, 40 hexadecimal digits\n'),
  example: 'sessions destroy --digest 0f4c61d0a6b5c5a1c9e6a0b86c3e2b7e4d4a1f10 --dry-run',
  async run ({ values, positionals: [argument, stray] }) {
    refuse('destroy', stray)
    const { digest, 'dry-run': dryRun } = values
    if (digest !== undefined && argument !== undefined) throw new UsageError('destroy takes either a session id or --digest')
    if (digest !== undefined && !DIGEST.test(digest)) throw new UsageError('--digest takes 40 hexadecimal digits')
    const id = digest === undefined ? idFrom(argument) : undefined
    await withStore(values, async store => {
      const { client, connection } = store
      const existed = id !== undefined
        ? await (dryRun ? client.has(id) : client.delete(id))
        : await (dryRun ? connection.request(operations.hasByDigest, undefined, [digest]) : store.destroyByDigest(digest))
      printRemoved(values, Number(existed))
      return undefined
    })
  }
}
