// Named, because Bun takes `exports.default` for the default import of a file with `__esModule`, and Node.js `module.exports`.
export { KeyvAerospike, KeyvAerospike as default } from './keyv.js'
