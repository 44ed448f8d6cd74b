'use strict'

const { AerospikeStore } = require('./lib/aerospike-store')
const { AerospikeSessionError } = require('./lib/errors')
const { SessionStore } = require('./lib/session-store')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`.
Object.defineProperty(exports, '__esModule', { value: true })
Object.assign(exports, { AerospikeStore, SessionStore, AerospikeSessionError, default: AerospikeStore })
