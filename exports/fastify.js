'use strict'

const { renew, renewal } = require('../lib/integrations/fastify-renewal')
const { FastifyStore } = require('../lib/stores/fastify-store')

// For TypeScript and bundlers that turn `import X from` into a require: the default is `default`. One by one, so that
// programs that only read this file see them, too.
Object.defineProperty(exports, '__esModule', { value: true })
exports.FastifyStore = FastifyStore
exports.renew = renew
exports.renewal = renewal
exports.default = FastifyStore
