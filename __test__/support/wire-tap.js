'use strict'

// A proxy in front of a dev server that counts the commands on the wire: what a client really asks
// of the server, whatever it says of itself.

const net = require('node:net')
const { once } = require('node:events')
const { DevServer } = require('../../exports/dev-server')

// as/include/base/proto.h
const HEADER = 8
const TYPE_INFO = 1
const TYPE_MESSAGE = 3
const INFO2_WRITE = 1
const INFO2_DELETE = 2

class WireTap {
  /** A dev server of its own, and the tap in front of it. */
  static async start () {
    const tap = new WireTap()
    tap.server = await DevServer.start()
    // The server tells clients its own address, in answers whose length must stay: the tap's port
    // has to have as many digits.
    do {
      tap.listener = net.createServer(socket => tap.#join(socket)).listen(0, '127.0.0.1')
      await once(tap.listener, 'listening')
    } while (String(tap.listener.address().port).length !== String(tap.server.port).length)
    tap.hosts = `127.0.0.1:${tap.listener.address().port}`
    tap.commands = []
    return tap
  }

  /** Runs before a command is passed on; a test may put something in its way. */
  async before (kind) {}

  async stop () {
    this.listener.close()
    await this.server.stop()
  }

  /** What was asked while `work` ran, such as `['read', 'write']`. */
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

/** Cuts a stream into the protocol's frames. */
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

function kindOf (message) {
  const info2 = message[2]
  if (info2 & INFO2_DELETE) return 'delete'
  return info2 & INFO2_WRITE ? 'write' : 'read'
}

module.exports = { Frames, WireTap }
