'use strict'

const { AerospikeStore } = require('./lib/stores/aerospike-store')
const { AerospikeSessionError } = require('./lib/errors')
const { sessionErrors } = require('./lib/integrations/session-errors')
const { renew, renewal } = require('./lib/renewal')
const { SessionStore } = require('./lib/stores/session-store')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`. One by one, so that
// programs that only read this file see them, too.
Object.defineProperty(exports, '__esModule', { value: true })
exports.AerospikeStore = AerospikeStore
exports.SessionStore = SessionStore
exports.AerospikeSessionError = AerospikeSessionError
exports.sessionErrors = sessionErrors
exports.renew = renew
exports.renewal = renewal
exports.default = AerospikeStore
