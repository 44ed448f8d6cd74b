'use strict'

// Builds what is missing or out of date: node_modules, then the native addon. Prints nothing if there is nothing to do. Uses only
// Node.js's own modules, because it runs on a fresh clone. Arguments are passed to `napi build`:
// `--target aarch64-unknown-linux-gnu --use-napi-cross` builds for another platform.

const fs = require('node:fs')
const path = require('node:path')
const { spawnSync } = require('node:child_process')

const ROOT = path.dirname(__dirname)
const BINDING = path.join(ROOT, 'lib/binding')
const SOURCES = ['Cargo.toml', 'Cargo.lock', 'build.rs', 'src', 'devserver/Cargo.toml', 'devserver/src']

/** An error that stops a script, with a message for its user. */
class ScriptError extends Error {}

/**
 * Runs a command with its output on this terminal.
 * @param {string} command
 * @param {string[]} args
 */
function run (command, args) {
  // npm and the programs it installs are scripts on Windows, and only a shell can start scripts.
  const { error, status, signal } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', shell: process.platform === 'win32' })
  if (error) throw new ScriptError(`${path.basename(command)} cannot be run: ${error.message}`)
  if (status !== 0) throw new ScriptError(`\`${path.basename(command)} ${args.join(' ')}\` failed (${signal ?? status}).`)
}

/** @param {string} file */
function readLock (file) {
  try {
    return JSON.parse(fs.readFileSync(path.join(ROOT, file), 'utf8')).packages
  } catch {
    return {}
  }
}

/** Returns true if node_modules matches package-lock.json. Optional packages of other platforms may be missing. */
function isInstalled () {
  const installed = readLock('node_modules/.package-lock.json')
  return Object.entries(readLock('package-lock.json')).every(([name, { version, optional }]) =>
    name === '' || (name in installed ? installed[name].version === version : optional === true))
}

/**
 * @param {string} file a file or folder
 * @returns {number} the newest modification time in it, in ms since 1970; 0 if it does not exist
 */
function newest (file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...fs.readdirSync(file).map(name => newest(path.join(file, name))))
}

/** Returns true if the generated loader uses the package names of the binaries from package.json. */
function isLoaderCurrent () {
  const loader = path.join(BINDING, 'native.js')
  const { napi } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'))
  return fs.existsSync(loader) && fs.readFileSync(loader, 'utf8').includes(`require('${napi.packageName}-linux-x64-gnu')`)
}

function isBuilt () {
  if (!isLoaderCurrent()) return false
  const platform = `.${process.platform}-${process.arch}`
  const addons = fs.readdirSync(BINDING).filter(name => name.endsWith('.node') && name.includes(platform))
  const built = Math.max(0, ...addons.map(name => newest(path.join(BINDING, name))))
  return built > Math.max(...SOURCES.map(name => newest(path.join(ROOT, name))))
}

function requireCargo () {
  const { error, stdout } = spawnSync('cargo', ['--version'], { cwd: ROOT, encoding: 'utf8' })
  const least = /^rust-version = "(\d+)\.(\d+)/m.exec(fs.readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8'))
  const found = /^cargo (\d+)\.(\d+)/.exec(stdout ?? '')
  const wanted = least ? `${least[1]}.${least[2]} or newer ` : ''
  const how = `The native addon is built with Rust ${wanted}(https://rustup.rs)`
  if (error) throw new ScriptError(`${how}, but there is no cargo on this machine's PATH.`)
  if (least && found && (Number(found[1]) - Number(least[1]) || Number(found[2]) - Number(least[2])) < 0) {
    throw new ScriptError(`${how}, but the cargo on this machine's PATH is ${found[1]}.${found[2]}.`)
  }
}

function install () {
  if (isInstalled()) return
  console.log('Installing the npm packages of package-lock.json …')
  run('npm', ['ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'])
}

/** @param {string[]} options of `napi build`; if there are any, it always builds */
function buildAddon (options) {
  if (options.length === 0 && isBuilt()) return
  requireCargo()
  console.log('Building the native addon: the first time takes some minutes …')
  run(path.join(ROOT, 'node_modules/.bin/napi'), [
    'build', '--platform', '--release', '--features', 'mimalloc', '--output-dir', 'lib/binding', '--js', 'native.js',
    // Discards the generated types, which describe only what lib/ calls: lib/bridge/native-types.d.ts replaces them.
    '--dts', '../../target/native.d.ts',
    ...options,
    '--', '--locked'
  ])
  // cargo does not rebuild if only the modification times of the sources changed.
  for (const name of fs.readdirSync(BINDING)) fs.utimesSync(path.join(BINDING, name), new Date(), new Date())
}

/** @param {string[]} [options] */
function build (options = []) {
  install()
  buildAddon(options)
}

/**
 * Runs a script's main function. Prints the message of a ScriptError without a stack.
 * @param {() => unknown} main
 */
async function runMain (main) {
  try {
    await main()
  } catch (error) {
    console.error(error instanceof ScriptError ? error.message : error)
    process.exitCode = 1
  }
}

if (require.main === module) runMain(() => build(process.argv.slice(2)))

module.exports = { ROOT, ScriptError, build, runMain }
