'use strict'

// Whether anybody takes connections at all, where the store is told to connect to: what an "unavailable" is about.

const net = require('node:net')

/**
 * @param {{ name: string, port: number }} host
 * @param {number} timeout milliseconds
 * @returns {Promise<import('./facts').Reached>}
 */
function reach ({ name, port }, timeout) {
  const host = net.isIPv6(name) ? `[${name}]:${port}` : `${name}:${port}`
  return new Promise(resolve => {
    const socket = net.connect({ host: name, port })
    const done = (/** @type {string} */ error) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(error === undefined ? { host } : { host, error })
    }
    const timer = setTimeout(() => done('ETIMEDOUT'), timeout)
    socket.once('connect', () => done(/** @type {any} */ (undefined)))
    socket.once('error', (/** @type {any} */ error) => done(codeOf(error)))
  })
}

/**
 * A name with several addresses fails with one error for each of them.
 * @param {any} error
 */
function codeOf (error) {
  return String(error.errors?.[0]?.code ?? error.code ?? error.name)
}

module.exports = { reach }
