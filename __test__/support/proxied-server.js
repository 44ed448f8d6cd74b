'use strict'

// A dev server behind a proxy that changes its answers, to test what other servers may answer.

const net = require('node:net')
const { once } = require('node:events')
const { DevServer } = require('../../exports/dev-server')
const { Frames } = require('./wire-tap')

// as/include/base/proto.h: version, type, six bytes of length.
const VERSION = 2
const TYPE_INFO = 1
const HEADER = 8
// Types of the values in bins: as/include/base/datamodel.h.
const BLOB = 4
const TYPES = { map: 19, list: 20 }

class ProxiedServer {
  #sockets = new Set()

  /**
   * @param {(type: number, body: Buffer, whole: Buffer, server: ProxiedServer) => Buffer} change returns the frame to pass on
   * @param {object} [options] of the dev server; the proxy is in front of its first node
   */
  static async start (change, options) {
    const proxied = new ProxiedServer()
    proxied.server = await DevServer.start(options)
    // Nodes report their own address, which the proxy replaces. Frames keep their length if both ports have as many digits.
    do {
      proxied.listener?.close()
      proxied.listener = net.createServer(socket => proxied.#connect(socket, change)).listen(0, '127.0.0.1')
      await once(proxied.listener, 'listening')
    } while (String(proxied.listener.address().port).length !== String(proxied.server.port).length)
    proxied.hosts = `127.0.0.1:${proxied.listener.address().port}`
    return proxied
  }

  async stop () {
    this.listener.close()
    for (const socket of this.#sockets) socket.destroy()
    await this.server.stop()
  }

  /** Replaces the server's address with that of the proxy. */
  replaceAddress (text) {
    return text.replaceAll(`127.0.0.1:${this.server.port}`, this.hosts)
  }

  #connect (client, change) {
    const upstream = net.connect(this.server.port, '127.0.0.1')
    client.pipe(upstream)
    const answers = new Frames((type, body, whole) => client.write(change(type, body, whole, this)))
    upstream.on('data', data => answers.take(data))
    for (const [one, other] of [[client, upstream], [upstream, client]]) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
  }
}

/**
 * Starts a server whose answers to info commands are rewritten.
 *
 * @param {(command: string, value: string) => string} rewrite returns the answer to a command
 * @param {object} [options] of the dev server
 */
function startRewritingServer (rewrite, options) {
  return ProxiedServer.start((type, body, whole, server) => {
    if (type !== TYPE_INFO) return whole
    const line = text => {
      const [command, ...value] = text.split('\t')
      return [command, rewrite(command, server.replaceAddress(value.join('\t')))].join('\t')
    }
    const text = Buffer.from(body.toString().split('\n').map(text => text === '' ? text : line(text)).join('\n'))
    const header = Buffer.alloc(HEADER)
    header.set([VERSION, TYPE_INFO])
    header.writeUIntBE(text.length, 2, 6)
    return Buffer.concat([header, text])
  }, options)
}

/**
 * Starts a server that sends the bytes of some bins as values of another type, which a dev server cannot store.
 *
 * @param {Record<string, 'map' | 'list'>} types by bin
 */
function startTypeSpoofingServer (types) {
  return ProxiedServer.start((type, _body, whole, server) => {
    if (type === TYPE_INFO) return Buffer.from(server.replaceAddress(whole.toString('latin1')), 'latin1')
    for (const [bin, as] of Object.entries(types)) {
      const head = Buffer.concat([Buffer.from([BLOB, 0, bin.length]), Buffer.from(bin)])
      for (let at = whole.indexOf(head); at >= 0; at = whole.indexOf(head, at + 1)) whole[at] = TYPES[as]
    }
    return whole
  })
}

module.exports = { startRewritingServer, startTypeSpoofingServer }
