'use strict'

// Whether anybody takes connections, and answers, where the store is told to connect to: what an "unavailable" is about.

const net = require('node:net')
const tls = require('node:tls')
const { clearTimeout, setTimeout } = require('../clock')
const { SILENT } = require('./facts')

/** Milliseconds until somebody who has taken the connection counts as silent. */
const PATIENCE = 1_000
/** An info request (as/include/base/proto.h): version 2, type 1, six bytes of length. */
const QUESTION = Buffer.from('\x02\x01\0\0\0\0\0\x05node\n', 'latin1')

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
      timer = setTimeout(() => done(SILENT), Math.min(timeout, PATIENCE))
      socket.off('error', failed)
      ask(socket, encrypted, () => done(undefined))
    })
  })
}

/**
 * Whatever comes is an answer, also the end of the connection: what it is worth the store itself tells.
 *
 * @param {net.Socket} socket
 * @param {boolean} encrypted
 * @param {() => void} answered
 */
function ask (socket, encrypted, answered) {
  // Nothing is told on this connection: no certificate has to be trusted for it.
  const asked = encrypted ? tls.connect({ socket, rejectUnauthorized: false }) : socket
  asked.once('data', answered)
  asked.once('close', answered)
  asked.on('error', answered)
  // The one beneath fails by itself as well.
  if (asked !== socket) socket.on('error', answered)
  asked.write(QUESTION)
}

/**
 * A name with several addresses fails with one error for each of them.
 * @param {any} error
 */
function codeOf (error) {
  return String(error.errors?.[0]?.code ?? error.code ?? error.name)
}

module.exports = { reach }
