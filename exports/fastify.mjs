// Named, because Bun takes `exports.default` for the default import of a file with `__esModule`, and Node.js `module.exports`.
export { FastifyStore, renew, renewal, FastifyStore as default } from './fastify.js'
