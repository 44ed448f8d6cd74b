'use strict'

// npm run test:node -- 22 [arguments of jest]: jest's tests on another Node.js than the one that runs, where each use of ours of
// what is deprecated there is an error.

const path = require('node:path')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { ROOT, ScriptError, build, runMain } = require('./build')
const { SUPPORTED, prepareNode } = require('./nodes')

/**
 * The environment of a Node.js, and of its children, to which it is an error where we use what is deprecated.
 * @param {string} node
 * @returns {Record<string, string>}
 */
function strict (node) {
  // Who judges tells; Node.js itself would print what is not ours as well.
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
