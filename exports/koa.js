'use strict'

const { renew, renewal } = require('../lib/integrations/koa-renewal')
const { KoaStore } = require('../lib/stores/koa-store')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`. One by one, so that
// programs that only read this file see them, too.
Object.defineProperty(exports, '__esModule', { value: true })
exports.KoaStore = KoaStore
exports.renew = renew
exports.renewal = renewal
exports.default = KoaStore
