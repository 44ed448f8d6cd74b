'use strict'

const { HonoStore } = require('./lib/hono-store')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`.
Object.defineProperty(exports, '__esModule', { value: true })
Object.assign(exports, { HonoStore, default: HonoStore })
