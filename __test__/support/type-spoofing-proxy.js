'use strict'

// A dev server behind a proxy that passes the bytes in a bin off as another type: what a server can store and this one
// does not.

const net = require('node:net')
const { once } = require('node:events')
const { DevServer } = require('../../exports/dev-server')
const { Frames } = require('./wire-tap')

const BLOB = 4
// as/include/base/datamodel.h
const TYPES = { map: 19, list: 20 }
const TYPE_INFO = 1

class LyingServer {
  #sockets = new Set()

  /** `lies`: by the name of a bin, what to pass its bytes off as. */
  static async start (lies) {
    const server = new LyingServer()
    server.server = await DevServer.start()
    server.behind = server.server.hosts
    // The server tells clients its own address, in answers whose length must stay: the port has to have as many digits.
    do {
      server.listener = net.createServer(socket => server.#join(socket, lies)).listen(0, '127.0.0.1')
      await once(server.listener, 'listening')
    } while (String(server.listener.address().port).length !== String(server.server.port).length)
    server.hosts = `127.0.0.1:${server.listener.address().port}`
    return server
  }

  async stop () {
    this.listener.close()
    for (const socket of this.#sockets) socket.destroy()
    await this.server.stop()
  }

  #join (client, lies) {
    const upstream = net.connect(this.server.port, '127.0.0.1')
    client.pipe(upstream)
    const answers = new Frames((type, body, whole) => {
      if (type === TYPE_INFO) {
        return client.write(Buffer.from(whole.toString('latin1').replaceAll(this.behind, this.hosts), 'latin1'))
      }
      for (const [bin, as] of Object.entries(lies)) {
        const head = Buffer.concat([Buffer.from([BLOB, 0, bin.length]), Buffer.from(bin)])
        for (let at = whole.indexOf(head); at >= 0; at = whole.indexOf(head, at + 1)) whole[at] = TYPES[as]
      }
      client.write(whole)
    })
    upstream.on('data', data => answers.take(data))
    for (const [one, other] of [[client, upstream], [upstream, client]]) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
  }
}

module.exports = { LyingServer }
