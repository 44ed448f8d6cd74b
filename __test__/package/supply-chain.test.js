'use strict'

// What the package is made of: no runtime dependency, locked and hashed ones for development, and as much unsafe code as
// is written down here.

const fs = require('node:fs')
const path = require('node:path')
const { execFileSync } = require('node:child_process')

const root = path.resolve(__dirname, '../..')
const read = file => fs.readFileSync(path.join(root, file), 'utf8')

/** Blocks and functions of unsafe code, by file. All of it is napi's C interface, or the system's. */
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

/** Without comments and texts. */
const code = file => read(file).replace(/\/\/.*/g, '').replace(/"(?:[^"\\]|\\.)*"/g, '""')

test('unsafe code is in the bridge alone, and as much as is known, each with its reason', () => {
  const found = {}
  for (const file of [...sources('src'), ...sources('devserver/src')]) {
    const count = code(file).match(/\bunsafe\s*(\{|fn\b|impl\b|extern\b|trait\b)/g)?.length ?? 0
    if (count > 0) found[file] = count
  }
  expect(found).toEqual(UNSAFE)
  // A block without a reason is a warning of clippy's, and warnings are errors in CI.
  expect(read('Cargo.toml')).toMatch(/^undocumented_unsafe_blocks = "warn"$/m)
  expect(read('.ci/run')).toMatch(/^cargo clippy .*-- -D warnings$/m)
})

test('the package depends on nothing when it runs', () => {
  const manifest = JSON.parse(read('package.json'))
  expect(manifest).not.toHaveProperty('dependencies')
  expect(manifest).not.toHaveProperty('bundleDependencies')
  expect(Object.keys(manifest.peerDependencies)).toEqual(['express-session'])
  for (const name of Object.keys(manifest.optionalDependencies ?? {})) expect(name).toMatch(/^@aerospike-session\/binding-/)
  // Nothing runs when it is installed.
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) expect(manifest.scripts).not.toHaveProperty(script)
})

test('every locked package has its hash, and comes from whatever registry npm is told to use', () => {
  const { packages } = JSON.parse(read('package-lock.json'))
  for (const [name, locked] of Object.entries(packages)) {
    if (name === '') continue
    expect({ ...locked, name }).toMatchObject({ name, integrity: expect.stringMatching(/^sha512-/) })
    expect(locked).not.toHaveProperty('resolved')
  }
})

test('every locked crate has its checksum, and is one of crates.io or ours', () => {
  const crates = read('Cargo.lock').split('\n[[package]]\n').slice(1)
  expect(crates.length).toBeGreaterThan(100)
  for (const crate of crates) {
    const [, name] = /^name = "(.*)"/.exec(crate)
    if (name.startsWith('aerospike-session')) continue
    expect(crate).toContain('source = "registry+https://github.com/rust-lang/crates.io-index"')
    expect(crate).toMatch(/\nchecksum = "[0-9a-f]{64}"/)
  }
})

test('what is built is what is locked', () => {
  expect(read('scripts/build.js')).toMatch(/'--', '--locked'/)
  expect(read('scripts/build.js')).toMatch(/run\('npm', \['ci', '--ignore-scripts'/)
  expect(read('scripts/test.js')).toMatch(/'test', '--workspace', '--locked'/)
  expect(read('.ci/run')).toMatch(/^npm ci --ignore-scripts/m)
})

test('the terms of every crate in the binary are told, and of no other version of it', () => {
  const args = ['tree', '--locked', '--all-features', '--edges', 'normal,no-proc-macro', '--prefix', 'none', '--format', '{p}']
  const tree = execFileSync('cargo', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const crates = new Set(Array.from(tree.matchAll(/^(\S+) v(\S+)/gm), ([, name, version]) => `${name} ${version}`))
  for (const own of crates) if (own.startsWith('aerospike-session')) crates.delete(own)
  expect(crates.size).toBeGreaterThan(50)
  // Else: npm run licenses.
  const told = read('THIRD-PARTY-LICENSES.txt')
  expect([...crates].filter(crate => !told.includes(`\n${crate}`))).toEqual([])
  const locked = read('Cargo.lock')
  for (const [, name, version] of told.matchAll(/^([a-z][\w-]*) (\d+\.\d+\.\d\S*)(?: https:\S*)?$/gm)) {
    expect(locked).toContain(`name = "${name}"\nversion = "${version}"`)
  }
})
