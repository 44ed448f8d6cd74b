'use strict'

// Preloaded with `node --require`: turns this package's own use of deprecated Node.js features into an error. Ignores
// dependencies in node_modules.

process.on('warning', warning => {
  if (warning.name !== 'DeprecationWarning') return
  const frames = (warning.stack ?? '').split('\n').filter(line => line.startsWith('    at '))
  const caller = frames.find(frame => !frame.includes('node:')) ?? ''
  if (/[\\/]node_modules[\\/](?!aerospike-session)/.test(caller)) return
  throw warning
})
