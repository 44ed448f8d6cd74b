'use strict'

// npm run test:node -- 22 [arguments of jest]: runs jest's tests on another version of Node.js. There the package's own use of
// deprecated features is an error.

const path = require('node:path')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { ROOT, ScriptError, build, runMain } = require('./build')
const { SUPPORTED, prepareNode } = require('./nodes')

/**
 * Returns the environment in which Node.js and its child processes treat the package's own use of deprecated features as an error.
 * @param {string} node
 * @returns {Record<string, string>}
 */
function strict (node) {
  // The preload reports them. Node.js itself would also print deprecations of dependencies.
  const preload = path.join(__dirname, 'deprecations.js')
  return {
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --pending-deprecation --disable-warning=DeprecationWarning --require ${JSON.stringify(preload)}`.trim(),
    PATH: [path.dirname(node), process.env.PATH].join(path.delimiter)
  }
}

if (require.main === module) {
  runMain(async () => {
    const [version, ...args] = process.argv.slice(2)
    if (!SUPPORTED.includes(version)) throw new ScriptError(`Usage: npm run test:node -- ${SUPPORTED.join('|')} [arguments of jest]`)
    build()
    const found = await prepareNode(version)
    if ('reason' in found) throw new ScriptError(`Node.js ${version}: ${found.reason}`)
    const child = spawn(found.node, [path.join(ROOT, 'node_modules/jest/bin/jest.js'), ...args], {
      cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...strict(found.node) }
    })
    const [code] = await once(child, 'close')
    process.exitCode = code ?? 1
  })
}

module.exports = { strict }
