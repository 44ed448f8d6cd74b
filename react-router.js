'use strict'

const { ReactRouterStore } = require('./lib/react-router-store')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`.
Object.defineProperty(exports, '__esModule', { value: true })
Object.assign(exports, { ReactRouterStore, default: ReactRouterStore })
