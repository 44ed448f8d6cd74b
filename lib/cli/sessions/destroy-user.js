'use strict'

const { UsageError } = require('../usage')
const { REMOVING, checkUser, optionsOf, printRemoved, refuse, withStore } = require('./store')

/** @type {import('../help').Command} */
module.exports = {
  usage: 'sessions destroy-user USER [options]',
  summary: 'removes all sessions of a user',
  text: '  Removes all sessions of a user, of a store with option user, and prints how many.\n',
  ...optionsOf(['hash-ids', ...REMOVING]),
  example: 'sessions destroy-user ada --dry-run --hosts db1:3000',
  async run ({ values, positionals: [user, stray] }) {
    if (user === undefined) throw new UsageError('destroy-user needs the user')
    checkUser(user)
    refuse('destroy-user', stray)
    await withStore(values, async store => {
      const count = await (values['dry-run'] ? store.countOf(user) : store.destroyOf(user))
      printRemoved(values, count)
      return count
    })
  }
}
