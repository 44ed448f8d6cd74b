'use strict'

// Loaded before everything else (`node --require`): what this package itself uses of deprecated Node.js is an error. What others
// do in node_modules is theirs.

process.on('warning', warning => {
  if (warning.name !== 'DeprecationWarning') return
  const frames = (warning.stack ?? '').split('\n').filter(line => line.startsWith('    at '))
  const caller = frames.find(frame => !frame.includes('node:')) ?? ''
  if (/[\\/]node_modules[\\/](?!aerospike-session)/.test(caller)) return
  throw warning
})
