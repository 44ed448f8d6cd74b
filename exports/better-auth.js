'use strict'

const { secondaryStorage } = require('../lib/cache/better-auth')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`. One by one, so that
// programs that only read this file see them, too.
Object.defineProperty(exports, '__esModule', { value: true })
exports.secondaryStorage = secondaryStorage
exports.default = secondaryStorage
