'use strict'

// Option `client`: a SessionStore whose connection others share.

const { name } = require('../../package.json')
const { Connection } = require('../connection')
const { badOption } = require('../errors')
const { type } = require('../options/validate')

/**
 * Returns the connection of a shared client. Throws BAD_OPTION if it is no SessionStore.
 *
 * @param {any} client
 */
function connectionOf (client) {
  const connection = Connection.of(client)
  if (connection === undefined) throw badOption(`option 'client' must be a SessionStore${instead(client)}`)
  return connection
}

/**
 * Describes a wrong value of option `client`, as the rest of the message.
 * @param {any} client
 */
function instead (client) {
  const classes = namesOfClasses(client)
  if (classes.includes('SessionStore')) {
    return ` of the same copy of ${name}, and this one is of another: the package is loaded twice. ` +
      `\`npm ls ${name}\` shows installed copies; a test runner that resets modules makes copies, too`
  }
  if (classes.includes('AerospikeStore')) return ', not an AerospikeStore: give its property `client`'
  if (classes.includes('FrameworkStore')) return `, not a ${classes[0]}: give its property \`store.client\``
  return `, not ${type(client)}`
}

/** @param {any} value */
function namesOfClasses (value) {
  const classes = []
  for (let one = value; typeof one === 'object' && one !== null; one = Object.getPrototypeOf(one)) {
    if (Object.hasOwn(one, 'constructor') && typeof one.constructor === 'function') classes.push(one.constructor.name)
  }
  return classes
}

module.exports = { connectionOf }
