'use strict'

// Writes records as other clients may: bins of any particle type with any bytes, encoded by hand. Most clients cannot write
// them.

const crypto = require('node:crypto')
const net = require('node:net')
const { once } = require('node:events')

// as/include/base/proto.h
const HEADER = 8
const MESSAGE_HEADER = 22
const TYPE_MESSAGE = 3
const INFO2_WRITE = 1
const OPERATION_WRITE = 2
const FIELD = { namespace: 0, set: 1, digest: 4 }
// as/include/base/datamodel.h
const STRING_KEY = 3
const PARTICLE = { integer: 1, double: 2, string: 3, blob: 4, bool: 17, hll: 18, map: 19, list: 20, geojson: 23 }

function digestOf (set, id) {
  return crypto.createHash('ripemd160').update(set).update(Buffer.from([STRING_KEY])).update(id).digest()
}

function field (type, data) {
  const body = Buffer.from(data)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(body.length + 1)
  head[4] = type
  return Buffer.concat([head, body])
}

function operation (name, [type, value]) {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(4 + name.length + value.length)
  head.set([OPERATION_WRITE, PARTICLE[type], 0, name.length], 4)
  return Buffer.concat([head, Buffer.from(name), value])
}

/**
 * Writes bins, such as `{ data: ['blob', Buffer] }`, for `ttl` seconds. Returns the server's result code.
 */
async function putRaw (hosts, [namespace, set, id], bins, ttl = 600) {
  const fields = [field(FIELD.namespace, namespace), field(FIELD.set, set), field(FIELD.digest, digestOf(set, id))]
  const operations = Object.entries(bins).map(([name, value]) => operation(name, value))
  const head = Buffer.alloc(HEADER + MESSAGE_HEADER)
  head[8] = MESSAGE_HEADER
  head[10] = INFO2_WRITE
  head.writeUInt32BE(ttl, 18)
  head.writeUInt32BE(10_000, 22)
  head.writeUInt16BE(fields.length, 26)
  head.writeUInt16BE(operations.length, 28)
  const message = Buffer.concat([head, ...fields, ...operations])
  message.set([2, TYPE_MESSAGE])
  message.writeUIntBE(message.length - HEADER, 2, 6)
  const [host, port] = hosts.split(',')[0].split(':')
  const socket = net.connect(Number(port), host)
  socket.write(message)
  let answer = Buffer.alloc(0)
  while (answer.length < HEADER + MESSAGE_HEADER) {
    const [data] = await once(socket, 'data')
    answer = Buffer.concat([answer, data])
  }
  socket.destroy()
  return answer[HEADER + 5]
}

module.exports = { putRaw }
