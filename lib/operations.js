'use strict'

// What can be asked of the core, under the names of its entry points. `sessions` and `prune` ask once for each page.

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
  refresh: new Operation('touch', native.refresh),
  destroy: new Operation('destroy', native.destroy),

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

  // The doctor's own, and so told by no name that is public.
  info: new Operation(/** @type {any} */ ('info'), native.info)
}
