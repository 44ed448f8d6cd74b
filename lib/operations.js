'use strict'

// The operations of the core, under the names of its entry points. `sessions` and `prune` make one request per page.

const native = require('./bridge/native')
const { Operation } = require('./tracing')

module.exports = {
  ready: new Operation('ready', native.ready),

  save: new Operation('save', native.save),
  get: new Operation('get', native.get, true),
  touch: new Operation('touch', native.touch, true),
  remove: new Operation('delete', native.remove, true),
  has: new Operation('has', native.has, true),

  load: new Operation('get', native.load, true),
  set: new Operation('set', native.set),
  renew: new Operation('renew', native.renew),
  refresh: new Operation('touch', native.refresh),
  destroy: new Operation('destroy', native.destroy),
  destroyByDigest: new Operation('destroyByDigest', native.destroyByDigest),

  all: new Operation('all', native.all),
  sessions: new Operation('sessions', native.all),
  ids: new Operation('ids', native.ids),
  length: new Operation('length', native.length),
  clear: new Operation('clear', native.clear),
  prune: new Operation('prune', native.prune),
  createUserIndex: new Operation('createUserIndex', native.createUserIndex),
  sessionsOf: new Operation('sessionsOf', native.sessionsOf),
  countOf: new Operation('countOf', native.countOf),
  destroyOf: new Operation('destroyOf', native.destroyOf),

  consume: new Operation('consume', native.consume),
  increment: new Operation('increment', native.increment),
  decrement: new Operation('decrement', native.decrement),
  peek: new Operation('peek', native.peek),
  reset: new Operation('reset', native.reset),
  resetAll: new Operation('resetAll', native.resetAll),

  // Used only by the doctor, so it is not a public operation name.
  info: new Operation(/** @type {any} */ ('info'), native.info)
}
