'use strict'

// Publishes the tarballs of `npm run pack -- --all`: first the packages with the binaries, then the package that depends on
// them. Anyone may have published a package with such a name, so a package counts as published only if its bytes are the same.
// The main package is published only after the registry has all others with the right bytes.

const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { execFile } = require('node:child_process')
const { setTimeout: pass } = require('node:timers/promises')
const { parse } = require('./arguments')
const { ROOT, ScriptError, runMain } = require('./build')
const { packageFor, suffixes } = require('../lib/bridge/platforms')
const manifest = require('../package.json')

/** Milliseconds that the registry may take to show a package after its publication. */
const TIMEOUT = 5 * 60_000

const HELP = `Usage: node scripts/publish.js [options]

  --dist DIR       where the tarballs are (default dist)
  --provenance     publish with a statement of where the tarballs were built (GitHub Actions only)
  --help           show this

A run that was interrupted can be started again with the same tarballs.
`

/**
 * Returns the file name that `npm pack` gives a package.
 * @param {string} name
 * @param {string} version
 */
const tarballOf = (name, version) => `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`

/** @typedef {{ spec: string, file: string, integrity: string }} Tarball */

/**
 * @param {string} dist
 * @returns {{ binaries: Tarball[], main: Tarball }}
 */
function tarballsIn (dist) {
  const { name, version } = manifest
  const describe = (/** @type {string} */ name) => {
    const file = path.join(dist, tarballOf(name, version))
    if (!fs.existsSync(file)) throw new ScriptError(`There is no ${file}: npm run pack -- --all`)
    const hash = crypto.createHash('sha512').update(fs.readFileSync(file)).digest('base64')
    return { spec: `${name}@${version}`, file, integrity: `sha512-${hash}` }
  }
  const binaries = suffixes.map(suffix => describe(packageFor(suffix)))
  const main = describe(name)
  const known = [...binaries, main].map(({ file }) => path.basename(file))
  const others = fs.readdirSync(dist).filter(file => !known.includes(file))
  if (others.length > 0) throw new ScriptError(`${dist} holds files that are not part of ${version}: ${others.join(', ')}.`)
  return { binaries, main }
}

/** @typedef {(...args: string[]) => Promise<{ failed: boolean, stdout: string, stderr: string }>} Npm */

/** @type {Npm} */
function runNpm (...args) {
  return new Promise(resolve => {
    // npm is a script on Windows, which only a shell can start.
    execFile('npm', args, { cwd: ROOT, shell: process.platform === 'win32' }, (error, stdout, stderr) => {
      resolve({ failed: error !== null, stdout, stderr: stderr || String(error?.message ?? '') })
    })
  })
}

/** @param {string} text */
function json (text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * @param {Tarball} tarball
 * @param {Npm} npm
 * @returns {Promise<boolean>} whether the registry has it with the same bytes
 */
async function isPublished ({ spec, file, integrity }, npm) {
  const { failed, stdout, stderr } = await npm('view', spec, 'dist.integrity', '--json')
  const answer = json(stdout)
  if (failed) {
    if (answer?.error?.code === 'E404') return false
    throw new ScriptError(`The registry does not answer whether ${spec} is published: ${stderr.trim() || stdout.trim()}`)
  }
  if (typeof answer !== 'string') throw new ScriptError(`The registry gives no integrity of ${spec}.`)
  if (answer === integrity) return true
  throw new ScriptError(
    `${spec} is in the registry, but is not ours: its integrity is ${answer}, and that of ${path.basename(file)} is ${integrity}. ` +
    'Nothing more is published.'
  )
}

/**
 * @param {{ dist?: string, provenance?: boolean, npm?: Npm, timeout?: number, pause?: number,
 *   log?: (line: string) => void }} options `timeout`, `pause`: in ms
 */
async function publish ({
  dist = path.join(ROOT, 'dist'), provenance = false, npm = runNpm, timeout = TIMEOUT, pause = 5_000, log = console.log
} = {}) {
  const { binaries, main } = tarballsIn(dist)
  const args = ['--access', 'public', '--tag', manifest.version.includes('-') ? 'next' : 'latest', ...(provenance ? ['--provenance'] : [])]

  // All are checked before the first is published: a package with other bytes stops the release before it starts.
  const missing = new Set()
  for (const tarball of [...binaries, main]) {
    if (await isPublished(tarball, npm)) log(`${tarball.spec} is published already`)
    else missing.add(tarball)
  }

  const send = async (/** @type {Tarball} */ tarball) => {
    if (!missing.has(tarball)) return
    const { failed, stdout, stderr } = await npm('publish', tarball.file, ...args)
    if (failed) throw new ScriptError(`npm publish of ${tarball.spec} failed: ${stderr.trim() || stdout.trim()}`)
    log(`${tarball.spec} is published`)
  }
  const verify = async (/** @type {Tarball} */ tarball) => {
    const end = Date.now() + timeout
    while (!await isPublished(tarball, npm)) {
      if (Date.now() > end) throw new ScriptError(`${tarball.spec} was published, but the registry does not have it. Nothing more is published.`)
      await pass(pause)
    }
  }

  for (const tarball of binaries) await send(tarball)
  for (const tarball of binaries) await verify(tarball)
  await send(main)
  await verify(main)
}

if (require.main === module) {
  runMain(async () => {
    const values = parse(process.argv.slice(2), { dist: { type: 'string' }, provenance: { type: 'boolean' }, help: { type: 'boolean' } })
    if (values.help) return process.stdout.write(HELP)
    await publish({ dist: values.dist && path.resolve(values.dist), provenance: values.provenance })
  })
}

module.exports = { publish, tarballOf }
