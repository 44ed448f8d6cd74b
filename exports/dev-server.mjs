// Named, because Bun takes `exports.default` for the default import of a file with `__esModule`, and Node.js `module.exports`.
export { DevServer, DevServer as default } from './dev-server.js'
