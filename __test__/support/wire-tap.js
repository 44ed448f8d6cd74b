'use strict'

// A proxy in front of a dev server that counts the commands on the wire, to check what a client really sends.

const net = require('node:net')
const { once } = require('node:events')
const { DevServer } = require('../../exports/dev-server')

// as/include/base/proto.h
const HEADER = 8
const TYPE_INFO = 1
const TYPE_MESSAGE = 3
const INFO1_BATCH = 8
const INFO2_WRITE = 1
const INFO2_DELETE = 2

class WireTap {
  /** Starts a dev server with a proxy in front of it. */
  static async start () {
    const tap = new WireTap()
    tap.server = await DevServer.start()
    // Nodes report their own address in answers whose length must stay the same. So the proxy's port must have as many digits.
    do {
      tap.listener = net.createServer(socket => tap.#join(socket)).listen(0, '127.0.0.1')
      await once(tap.listener, 'listening')
    } while (String(tap.listener.address().port).length !== String(tap.server.port).length)
    tap.hosts = `127.0.0.1:${tap.listener.address().port}`
    tap.commands = []
    return tap
  }

  /** Runs before a command is passed on. A test may override it. */
  async before (kind) {}

  async stop () {
    this.listener.close()
    await this.server.stop()
  }

  /** Returns the commands that were sent while `work` ran, such as `['read', 'write']`. */
  async during (work) {
    this.commands = []
    await work()
    return this.commands
  }

  #join (client) {
    const upstream = net.connect(this.server.port, '127.0.0.1')
    let passed = Promise.resolve()
    const frames = new Frames((type, body, whole) => {
      const kind = type === TYPE_MESSAGE ? kindOf(body) : undefined
      if (kind !== undefined) this.commands.push(kind)
      passed = passed.then(() => kind && this.before(kind)).then(() => upstream.write(whole))
    })
    client.on('data', data => frames.take(data))
    const answers = new Frames((type, body, whole) => {
      if (type !== TYPE_INFO) return client.write(whole)
      const text = whole.toString('latin1').replaceAll(this.server.hosts, this.hosts)
      client.write(Buffer.from(text, 'latin1'))
    })
    upstream.on('data', data => answers.take(data))
    for (const [one, other] of [[client, upstream], [upstream, client]]) {
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
  }
}

/** Splits a stream into the protocol's frames. */
class Frames {
  #left = Buffer.alloc(0)
  #each

  constructor (each) {
    this.#each = each
  }

  take (data) {
    let left = Buffer.concat([this.#left, data])
    while (left.length >= HEADER) {
      const end = HEADER + left.readUIntBE(2, 6)
      if (left.length < end) break
      this.#each(left[1], left.subarray(HEADER, end), left.subarray(0, end))
      left = left.subarray(end)
    }
    this.#left = left
  }
}

/** The field with the partitions of a query (AS_MSG_FIELD_TYPE_PID_ARRAY). */
const FIELD_PARTITIONS = 11
const FIELDS_START = 22

/** Returns true if a field of the message has the type. */
function hasField (message, type) {
  let at = FIELDS_START
  for (let left = message.readUInt16BE(18); left > 0; left--) {
    if (message[at + 4] === type) return true
    at += 4 + message.readUInt32BE(at)
  }
  return false
}

function kindOf (message) {
  if (hasField(message, FIELD_PARTITIONS)) return 'query'
  const [, info1, info2] = message
  if (info1 & INFO1_BATCH) return 'batch'
  if (info2 & INFO2_DELETE) return 'delete'
  return info2 & INFO2_WRITE ? 'write' : 'read'
}

module.exports = { Frames, WireTap }
