'use strict'

const { DevServer } = require('./lib/dev-server')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`.
Object.defineProperty(exports, '__esModule', { value: true })
Object.assign(exports, { DevServer, default: DevServer })
