'use strict'

// The package as users get it: its tarballs, installed into a separate folder without Rust.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { promisify } = require('node:util')
const { version } = require('../../package.json')
const { packageFor } = require('../../lib/bridge/platforms')
const { pack } = require('../../scripts/pack')
const { tarballOf } = require('../../scripts/publish')

const execFile = promisify(require('node:child_process').execFile)

const ROOT = path.resolve(__dirname, '../..')
const NODE_MODULES = fs.realpathSync(path.join(ROOT, 'node_modules'))
const isWindows = process.platform === 'win32'

/** Returns napi's name of this platform. */
function platform () {
  const abi = { linux: isGlibc() ? 'gnu' : 'musl', win32: 'msvc' }[process.platform]
  return [process.platform, process.arch, abi].filter(part => part !== undefined).join('-')
}

function isGlibc () {
  return /** @type {any} */ (process.report.getReport()).header.glibcVersionRuntime !== undefined
}

/**
 * Returns the tarballs in the folder TEST_TARBALLS, which releases use, or packs the ones built here.
 * @param {string} folder to install into
 * @returns {{ main: string, binary: string }}
 */
function tarballs (folder) {
  const given = process.env.TEST_TARBALLS
  if (given !== undefined) {
    const tarball = name => path.resolve(given, tarballOf(name, version))
    return { main: tarball('aerospike-session'), binary: tarball(packageFor(platform())) }
  }
  const { main, platforms } = pack({ out: folder })
  return { main, binary: platforms[platform()] }
}

/** Creates a folder for PATH with only Node.js and npm. */
function bareMachine (folder) {
  if (isWindows) return path.dirname(process.execPath)
  fs.mkdirSync(folder)
  fs.symlinkSync(process.execPath, path.join(folder, 'node'))
  const npm = process.env.PATH.split(path.delimiter).map(one => path.join(one, 'npm')).find(one => fs.existsSync(one))
  fs.symlinkSync(fs.realpathSync(npm), path.join(folder, 'npm'))
  return folder
}

/** Returns the names and folders of packages with all dependencies, in this repository's node_modules. */
function closure (names) {
  const { packages } = JSON.parse(fs.readFileSync(path.join(NODE_MODULES, '.package-lock.json'), 'utf8'))
  const places = new Set()
  const visit = (name, from) => {
    // Resolved like Node.js does: next to the dependent package, then further up.
    let place = `${from}node_modules/${name}`
    while (!(place in packages) && from !== '') {
      from = from.slice(0, from.lastIndexOf('node_modules/', from.length - 2))
      place = `${from}node_modules/${name}`
    }
    if (!(place in packages)) throw new Error(`node_modules has no ${name}`)
    if (places.has(place)) return
    places.add(place)
    for (const one of Object.keys(packages[place].dependencies ?? {})) visit(one, `${place}/`)
  }
  for (const name of names) visit(name, '')
  return [...places].map(place => place.slice('node_modules/'.length))
}

/** The folder of an application. */
class Consumer {
  /**
   * @param {string} folder
   * @param {string} bin the only folder in PATH
   */
  constructor (folder, bin) {
    this.folder = folder
    this.env = { PATH: bin, HOME: folder, USERPROFILE: folder, TEMP: os.tmpdir(), SystemRoot: process.env.SystemRoot, NODE_OPTIONS: process.env.NODE_OPTIONS }
    for (const [name, value] of Object.entries(this.env)) if (value === undefined) delete this.env[name]
    fs.mkdirSync(folder)
    this.write('package.json', JSON.stringify({ name: 'consumer', private: true }))
  }

  /** Returns the path of a file in it. */
  path (...names) {
    return path.join(this.folder, ...names)
  }

  write (name, text) {
    fs.writeFileSync(this.path(name), text)
  }

  /**
   * Runs Node.js in it.
   * @param {string[]} args
   * @param {Record<string, string>} [env]
   */
  run (args, env) {
    return execFile(process.execPath, args, { cwd: this.folder, env: { ...this.env, ...env }, maxBuffer: 2 ** 26 })
  }

  /** Installs as npm does by default, including scripts, but only from these files. */
  async install (...files) {
    await execFile('npm', ['install', '--offline', '--no-audit', '--no-fund', ...files], {
      cwd: this.folder, env: { ...this.env, npm_config_ignore_scripts: 'false' }, shell: isWindows
    })
  }

  /** Copies packages with all dependencies from this repository's node_modules. */
  add (...names) {
    for (const place of closure(names)) {
      fs.cpSync(path.join(NODE_MODULES, place), this.path('node_modules', place), { recursive: true })
    }
  }
}

module.exports = { Consumer, NODE_MODULES, ROOT, bareMachine, platform, tarballs }
