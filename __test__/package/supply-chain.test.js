'use strict'

// The parts of the package: no runtime dependencies, locked and hashed development dependencies, and a fixed amount of unsafe
// code.

const fs = require('node:fs')
const path = require('node:path')
const { execFileSync } = require('node:child_process')

const root = path.resolve(__dirname, '../..')
const read = file => fs.readFileSync(path.join(root, file), 'utf8')

/** The number of unsafe blocks and functions by file. All of them call napi's C interface or the system's. */
const UNSAFE = {
  'src/bridge/answer_values.rs': 9,
  'src/bridge/event_loop.rs': 2,
  'src/bridge/hub.rs': 5,
  'src/bridge/runtime.rs': 1,
  'src/bridge/stack.rs': 8,
  'src/bridge/text.rs': 5,
  'src/bridge/uv.rs': 26
}

/** @returns {string[]} */
function sources (folder) {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const file = `${folder}/${entry.name}`
    if (entry.isDirectory()) return sources(file)
    return file.endsWith('.rs') ? [file] : []
  })
}

/** Removes comments and strings. */
const code = file => read(file).replace(/\/\/.*/g, '').replace(/"(?:[^"\\]|\\.)*"/g, '""')

test('unsafe code is only in the bridge, in the known amount, and each use has a reason', () => {
  const found = {}
  for (const file of [...sources('src'), ...sources('devserver/src')]) {
    const count = code(file).match(/\bunsafe\s*(\{|fn\b|impl\b|extern\b|trait\b)/g)?.length ?? 0
    if (count > 0) found[file] = count
  }
  expect(found).toEqual(UNSAFE)
  // Clippy warns about a block without a reason, and CI treats warnings as errors.
  expect(read('Cargo.toml')).toMatch(/^undocumented_unsafe_blocks = "warn"$/m)
  expect(read('.ci/run')).toMatch(/^cargo clippy .*-- -D warnings$/m)
})

test('the package has no runtime dependencies', () => {
  const manifest = JSON.parse(read('package.json'))
  expect(manifest).not.toHaveProperty('dependencies')
  expect(manifest).not.toHaveProperty('bundleDependencies')
  expect(Object.keys(manifest.peerDependencies)).toEqual(['@fastify/rate-limit', '@opentelemetry/api', 'better-auth', 'express-rate-limit', 'express-session', 'keyv', 'prom-client'])
  for (const name of Object.keys(manifest.peerDependencies)) expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true })
  for (const name of Object.keys(manifest.optionalDependencies ?? {})) expect(name).toMatch(/^@aerospike-session\/binding-/)
  // Nothing runs at installation.
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) expect(manifest.scripts).not.toHaveProperty(script)
})

test('every locked package has its hash, and comes from the registry that npm is configured for', () => {
  const { packages } = JSON.parse(read('package-lock.json'))
  for (const [name, locked] of Object.entries(packages)) {
    if (name === '') continue
    expect({ ...locked, name }).toMatchObject({ name, integrity: expect.stringMatching(/^sha512-/) })
    expect(locked).not.toHaveProperty('resolved')
  }
})

test('every locked crate has its checksum, and comes from crates.io or this repository', () => {
  const crates = read('Cargo.lock').split('\n[[package]]\n').slice(1)
  expect(crates.length).toBeGreaterThan(100)
  for (const crate of crates) {
    const [, name] = /^name = "(.*)"/.exec(crate)
    if (name.startsWith('aerospike-session')) continue
    expect(crate).toContain('source = "registry+https://github.com/rust-lang/crates.io-index"')
    expect(crate).toMatch(/\nchecksum = "[0-9a-f]{64}"/)
  }
})

test('builds use the lock files', () => {
  expect(read('scripts/build.js')).toMatch(/'--', '--locked'/)
  expect(read('scripts/build.js')).toMatch(/run\('npm', \['ci', '--ignore-scripts'/)
  expect(read('scripts/test.js')).toMatch(/'test', '--workspace', '--locked'/)
  expect(read('.ci/run')).toMatch(/^npm ci --ignore-scripts/m)
})

test('THIRD-PARTY-LICENSES.txt has the license of every crate in the binary, and of no other version', () => {
  const args = ['tree', '--locked', '--all-features', '--edges', 'normal,no-proc-macro', '--prefix', 'none', '--format', '{p}']
  const tree = execFileSync('cargo', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const crates = new Set(Array.from(tree.matchAll(/^(\S+) v(\S+)/gm), ([, name, version]) => `${name} ${version}`))
  for (const own of crates) if (own.startsWith('aerospike-session')) crates.delete(own)
  expect(crates.size).toBeGreaterThan(50)
  // If this fails, run npm run licenses.
  const licenseTexts = read('THIRD-PARTY-LICENSES.txt')
  expect([...crates].filter(crate => !licenseTexts.includes(`\n${crate}`))).toEqual([])
  const locked = read('Cargo.lock')
  for (const [, name, version] of licenseTexts.matchAll(/^([a-z][\w-]*) (\d+\.\d+\.\d\S*)(?: https:\S*)?$/gm)) {
    expect(locked).toContain(`name = "${name}"\nversion = "${version}"`)
  }
})
