'use strict'

// Preloaded into a site of docs/: reports the assigned port to its parent.

const { Server } = require('node:net')

const { listen } = Server.prototype
Server.prototype.listen = function (port, ...args) {
  return listen.call(this, Number(port), '127.0.0.1', ...args).once('listening', () => process.send(this.address().port, () => process.disconnect()))
}
