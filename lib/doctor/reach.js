'use strict'

// Checks whether each seed accepts connections and answers, to explain why a store is unavailable.

const net = require('node:net')
const tls = require('node:tls')
const { clearTimeout, setTimeout } = require('../clock')
const { SILENT } = require('./facts')

/** Milliseconds to wait for an answer after connecting. */
const ANSWER_TIMEOUT = 1_000
/** An info request (as/include/base/proto.h): version 2, type 1, six bytes of length. */
const INFO_REQUEST = Buffer.from('\x02\x01\0\0\0\0\0\x05node\n', 'latin1')

/**
 * @param {{ name: string, port: number }} host
 * @param {{ timeout: number, encrypted: boolean }} how `timeout` in milliseconds
 * @returns {Promise<import('./facts').Reached>}
 */
function reach ({ name, port }, { timeout, encrypted }) {
  const host = net.isIPv6(name) ? `[${name}]:${port}` : `${name}:${port}`
  return new Promise(resolve => {
    const socket = net.connect({ host: name, port })
    const done = (/** @type {string | undefined} */ error) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(error === undefined ? { host } : { host, error })
    }
    let timer = setTimeout(() => done('ETIMEDOUT'), timeout)
    const failed = (/** @type {any} */ error) => done(codeOf(error))
    socket.once('error', failed)
    socket.once('connect', () => {
      clearTimeout(timer)
      timer = setTimeout(() => done(SILENT), Math.min(timeout, ANSWER_TIMEOUT))
      socket.off('error', failed)
      ask(socket, encrypted, () => done(undefined))
    })
  })
}

/**
 * Sends an info request. Any reaction counts as an answer, even closing the connection: the store itself checks the answer.
 *
 * @param {net.Socket} socket
 * @param {boolean} encrypted
 * @param {() => void} answered
 */
function ask (socket, encrypted, answered) {
  // Nothing secret is sent on this connection, so the certificate need not be trusted.
  const stream = encrypted ? tls.connect({ socket, rejectUnauthorized: false }) : socket
  stream.once('data', answered)
  stream.once('close', answered)
  stream.on('error', answered)
  // The underlying socket emits its own errors.
  if (stream !== socket) socket.on('error', answered)
  stream.write(INFO_REQUEST)
}

/**
 * Returns the error code. A host name with several addresses fails with one error for each of them; the first one is used.
 * @param {any} error
 */
function codeOf (error) {
  return String(error.errors?.[0]?.code ?? error.code ?? error.name)
}

module.exports = { reach }
