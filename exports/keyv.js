'use strict'

const { KeyvAerospike } = require('../lib/cache/keyv')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`. One by one, so that
// programs that only read this file see them, too.
Object.defineProperty(exports, '__esModule', { value: true })
exports.KeyvAerospike = KeyvAerospike
exports.default = KeyvAerospike
