'use strict'

// The commands `aerospike-session sessions …`.

/** @type {import('../help').Group} */
module.exports = {
  summary: 'counts, lists and removes sessions, and prepares their set',
  needs: 'needs a command: count, list, destroy, destroy-user, prune or create-index',
  wrong: name => `'${name}' is nothing sessions can do: there are count, list, destroy, destroy-user, prune and create-index`,
  text: `  All commands take the options of the cluster: --hosts, --namespace, --set and so on. The
  password of --user is taken from AEROSPIKE_PASSWORD. --dry-run removes nothing, and prints
  what would be removed. Session ids are known only of sessions stored with option storeIds.

  A store with option prefix has sessions of its own: give it as --prefix.

Exit codes: 0 done, 1 failed, 2 a mistake in the command line, 3 done, but the output cannot be
written.
`,
  commands: {
    count: () => require('./count'),
    list: () => require('./list'),
    destroy: () => require('./destroy'),
    'destroy-user': () => require('./destroy-user'),
    prune: () => require('./prune'),
    'create-index': () => require('./create-index')
  }
}
