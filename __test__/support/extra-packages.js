'use strict'

// Packages that are not in the package's own devDependencies, see __test__/cache/packages/package.json. They are installed into
// .cache/packages when they are first needed.

const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')
const { setTimeout: pause } = require('node:timers/promises')

const execFile = promisify(require('node:child_process').execFile)

const ROOT = path.join(__dirname, '../..')
const WANTED = path.join(ROOT, '__test__/cache/packages')
const HOME = path.join(ROOT, '.cache/packages')
const STAMP = path.join(HOME, 'installed')
/** Only one process installs at a time. */
const LOCK = path.join(ROOT, '.cache/packages.lock')
const FILES = ['package.json', 'package-lock.json']

const wanted = () => FILES.map(file => fs.readFileSync(path.join(WANTED, file), 'utf8')).join('\n')
const isInstalled = () => fs.existsSync(STAMP) && fs.readFileSync(STAMP, 'utf8') === wanted()

async function install () {
  fs.rmSync(STAMP, { force: true })
  fs.mkdirSync(HOME, { recursive: true })
  for (const file of FILES) fs.copyFileSync(path.join(WANTED, file), path.join(HOME, file))
  await execFile('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: HOME, shell: process.platform === 'win32' })
  fs.writeFileSync(STAMP, wanted())
}

/** Returns the folder with the packages' node_modules. Installs them if they are missing. */
async function extraPackages () {
  fs.mkdirSync(path.dirname(LOCK), { recursive: true })
  while (!isInstalled()) {
    try {
      fs.mkdirSync(LOCK)
    } catch {
      // A process that was killed leaves the lock behind.
      if (Date.now() - (fs.statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs ?? 0) > 240_000) fs.rmSync(LOCK, { recursive: true, force: true })
      await pause(250)
      continue
    }
    try {
      if (!isInstalled()) await install()
    } finally {
      fs.rmdirSync(LOCK)
    }
  }
  return HOME
}

module.exports = { extraPackages }
