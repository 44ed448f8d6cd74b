'use strict'

// npm run pack in a copy of the repository without a build, as in the pack job of a release: the binaries come from other jobs.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const { NODE_MODULES, ROOT, platform } = require('../support/tarballs')

const { files, napi: { binaryName } } = require('../../package.json')

let folder
beforeAll(() => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-')))
  const names = files.map(file => file.split('/')[0]).filter(file => fs.existsSync(path.join(ROOT, file)))
  for (const name of new Set([...names, 'package.json', 'scripts', 'README.md', 'LICENSE', 'THIRD-PARTY-LICENSES.txt'])) {
    fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true, filter: from => !from.startsWith(path.join(ROOT, 'lib/binding')) })
  }
  fs.symlinkSync(NODE_MODULES, path.join(folder, 'node_modules'), 'junction')
})
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

/** Packs with the files of lib/binding. Returns the exit code, the output and the tarballs. */
function pack (artifacts) {
  const place = path.join(folder, 'artifacts')
  fs.rmSync(place, { recursive: true, force: true })
  fs.mkdirSync(place)
  for (const name of artifacts) fs.copyFileSync(path.join(ROOT, 'lib/binding', name), path.join(place, name))
  const out = path.join(folder, 'out')
  const { status, stderr } = spawnSync(process.execPath, ['scripts/pack.js', '--artifacts', place, '--out', out], { cwd: folder, encoding: 'utf8' })
  return { status, stderr, tarballs: fs.existsSync(out) ? fs.readdirSync(out).map(name => path.join(out, name)) : [] }
}

const BINARY = `${binaryName}.${platform()}.node`

test('does not pack binaries without their loader, because the package could not work', () => {
  const { status, stderr, tarballs } = pack([BINARY])
  expect(stderr).toMatch(/There is no native\.js in .*artifacts nor in lib\/binding: the package could not load its binaries/)
  expect([status, tarballs]).toStrictEqual([1, []])
}, 60_000)

test('takes the loader from the folder of the binaries', () => {
  const { status, stderr, tarballs } = pack([BINARY, 'native.js'])
  expect([status, stderr]).toStrictEqual([0, ''])
  const main = tarballs.find(name => /\/aerospike-session-\d/.test(name))
  const { stdout } = spawnSync('tar', ['-tf', main], { encoding: 'utf8' })
  expect(stdout.split('\n')).toContain('package/lib/binding/native.js')
}, 60_000)
