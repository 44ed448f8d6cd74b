// Named, because Bun takes `exports.default` for the default import of a file with `__esModule`, and Node.js `module.exports`.
export { AerospikeStore, SessionStore, AerospikeSessionError, renew, renewal, sessionErrors, AerospikeStore as default } from './index.js'
