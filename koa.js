'use strict'

const { KoaStore } = require('./lib/koa-store')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`.
Object.defineProperty(exports, '__esModule', { value: true })
Object.assign(exports, { KoaStore, default: KoaStore })
