// Named, because Bun takes `exports.default` for the default import of a file with `__esModule`, and Node.js `module.exports`.
export { KoaStore, renew, renewal, KoaStore as default } from './koa.js'
