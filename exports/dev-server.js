'use strict'

const { DevServer } = require('../lib/dev-server/dev-server')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`. One by one, so that
// programs that only read this file see them, too.
Object.defineProperty(exports, '__esModule', { value: true })
exports.DevServer = DevServer
exports.default = DevServer
