'use strict'

// Sends commands to a dev server in another process: the info command `dev-server:` with the command as JSON. The answer is
// JSON. dev-server.d.ts documents it. Any Aerospike client can send it.

const net = require('node:net')
const { badOption } = require('../errors')

/** Bytes of the header of an info frame: protocol version 2, type 1, six bytes of length. */
const HEADER = 8
/** Milliseconds to wait for an answer. */
const TIMEOUT = 5_000
/** Bytes of the longest accepted answer. The answer for a thousand faults is a third of it. */
const LONGEST = 1 << 20

/**
 * @param {string} address `host:port`
 * @param {{ command: string, [field: string]: unknown }} command
 * @returns {Promise<any>}
 */
async function ask (address, command) {
  const text = `dev-server:${JSON.stringify(command)}`
  const answer = await exchange(address, text)
  const value = answer.slice(answer.indexOf('\t') + 1).trimEnd()
  if (/^ERROR:\d*:unrecognized command/.test(value)) throw new Error(`${address} is not a dev server`)
  if (value.startsWith('ERROR:')) throw badOption(value.replace(/^ERROR:\d*:/, ''))
  return JSON.parse(value)
}

/**
 * Sends an info command on its own connection. Resolves with the body of the answer.
 *
 * @param {string} address
 * @param {string} text
 * @returns {Promise<string>}
 */
function exchange (address, text) {
  const [, host, port] = /** @type {RegExpExecArray} */ (/^\[?(.+?)\]?:(\d+)$/.exec(address))
  return new Promise((resolve, reject) => {
    const body = Buffer.from(`${text}\n`)
    const header = Buffer.alloc(HEADER)
    header.writeUInt16BE(0x0201)
    header.writeUIntBE(body.length, 2, 6)
    const socket = net.connect(Number(port), host, () => socket.write(Buffer.concat([header, body])))
    let answer = Buffer.alloc(0)
    const fail = (/** @type {string} */ reason) => {
      socket.destroy()
      reject(new Error(`no answer from ${address}: ${reason}`))
    }
    socket.setTimeout(TIMEOUT, () => fail(`none within ${TIMEOUT} ms`))
    socket.on('error', error => fail(error.message))
    socket.on('close', () => fail('the connection was closed'))
    socket.on('data', data => {
      answer = Buffer.concat([answer, data])
      if (answer.length < HEADER) return
      const size = answer.readUIntBE(2, 6)
      if (answer.readUInt16BE() !== 0x0201 || size > LONGEST) return fail('it does not speak the protocol')
      if (answer.length < HEADER + size) return
      resolve(answer.toString('utf8', HEADER, HEADER + size))
      socket.destroy()
    })
  })
}

module.exports = { ask, exchange }
