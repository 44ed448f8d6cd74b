'use strict'

// A dev server behind a proxy that rewrites the answers to info commands: for what other nodes may say of themselves.

const net = require('node:net')
const { once } = require('node:events')
const { DevServer } = require('../../exports/dev-server')
const { Frames } = require('./wire-tap')

// as/include/base/proto.h: version, type, six bytes of length.
const VERSION = 2
const TYPE_INFO = 1
const HEADER = 8

class RewritingServer {
  #sockets = new Set()

  /**
   * @param {(command: string, value: string) => string} rewrite the answer to a command
   * @param {object} [options] of the dev server; the proxy is in front of its first node
   */
  static async start (rewrite, options) {
    const server = new RewritingServer()
    server.server = await DevServer.start(options)
    server.listener = net.createServer(socket => server.#join(socket, rewrite)).listen(0, '127.0.0.1')
    await once(server.listener, 'listening')
    server.hosts = `127.0.0.1:${server.listener.address().port}`
    return server
  }

  async stop () {
    this.listener.close()
    for (const socket of this.#sockets) socket.destroy()
    await this.server.stop()
  }

  #join (client, rewrite) {
    const upstream = net.connect(this.server.port, '127.0.0.1')
    client.pipe(upstream)
    const line = text => {
      const [command, ...value] = text.split('\t')
      return [command, rewrite(command, value.join('\t').replaceAll(`127.0.0.1:${this.server.port}`, this.hosts))].join('\t')
    }
    const answers = new Frames((type, body, whole) => {
      if (type !== TYPE_INFO) return client.write(whole)
      const text = Buffer.from(body.toString().split('\n').map(text => text === '' ? text : line(text)).join('\n'))
      const header = Buffer.alloc(HEADER)
      header.set([VERSION, TYPE_INFO])
      header.writeUIntBE(text.length, 2, 6)
      client.write(Buffer.concat([header, text]))
    })
    upstream.on('data', data => answers.take(data))
    for (const [one, other] of [[client, upstream], [upstream, client]]) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
  }
}

module.exports = { RewritingServer }
