'use strict'

// Preloaded into a site of docs/: it tells its parent the port it was given.

const { Server } = require('node:net')

const { listen } = Server.prototype
Server.prototype.listen = function (port, ...args) {
  return listen.call(this, Number(port), '127.0.0.1', ...args).once('listening', () => process.send(this.address().port, () => process.disconnect()))
}
