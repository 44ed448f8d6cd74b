'use strict'

// The package in a bundle. The test bundles like esbuild: all JavaScript in one file, and other files are expected next to it at
// run time. docs/bundlers.md documents what real bundlers need.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawnSync } = require('node:child_process')
const vm = require('node:vm')
const { createRequire } = require('node:module')
const { blocksOf } = require('../support/pages')
const { freshSet, hosts } = require('../support/server')
const { platform } = require('../support/tarballs')
const { exports: entries, napi: { binaryName } } = require('../../package.json')

const ROOT = path.join(__dirname, '../..')
const BINARY = `${binaryName}.${platform()}.node`

let folder
beforeAll(() => { folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-'))) })
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

/** Returns the text of a file together with all files that it requires by path. */
function bundle (entry, app) {
  const modules = new Map()
  const visit = file => {
    if (modules.has(file)) return
    const code = fs.readFileSync(file, 'utf8')
    modules.set(file, '')
    const places = {}
    for (const [, name] of code.matchAll(/\brequire\('(\.[^']+)'\)/g)) {
      if (name.endsWith('.node')) continue
      try {
        places[name] = createRequire(file).resolve(name)
      } catch {
        continue
      }
      visit(places[name])
    }
    const body = file.endsWith('.json') ? `module.exports = ${code}` : code
    modules.set(file, `function (module, exports, require) {\n${body}\n}, ${JSON.stringify(places)}`)
  }
  visit(entry)
  const table = [...modules].map(([file, text]) => `${JSON.stringify(file)}: [${text}]`).join(',\n')
  return `
    const files = {${table}}
    const loaded = {}
    function load (file) {
      if (loaded[file]) return loaded[file].exports
      const module = loaded[file] = { exports: {} }
      const [body, places] = files[file]
      const lookUp = name => places[name] ? load(places[name]) : require(name)
      lookUp.resolve = name => require.resolve(name)
      body(module, module.exports, lookUp)
      return module.exports
    }
    ${app.replace('PACKAGE', `load(${JSON.stringify(entry)})`)}
  `
}

const APP = `
  const { SessionStore } = PACKAGE
  const store = new SessionStore({ hosts: process.argv[2], set: process.argv[3] })
  store.save('a', { n: 1 }).then(() => store.get('a')).then(found => console.log(found)).then(() => store.delete('a')).then(() => store.close())
`

/** Runs a bundle of the package in its own folder. */
function run (name, files, change = code => code) {
  const place = path.join(folder, name)
  fs.mkdirSync(place)
  fs.writeFileSync(path.join(place, 'app.js'), change(bundle(path.join(ROOT, 'index.js'), APP)))
  for (const [file, from] of Object.entries(files)) fs.copyFileSync(from, path.join(place, file))
  const { status, stdout, stderr } = spawnSync(process.execPath, ['app.js', hosts(), freshSet()], { cwd: place, encoding: 'utf8' })
  return { status, stdout, stderr }
}

const EXPLAINED = /Error: aerospike-session is in a bundle without its binary, a \.node file\. Tell the bundler to leave aerospike-session out of the bundle.* https:\/\/\S+\/docs\/bundlers\.md\n/

test('a bundle without the binary explains how to configure the bundler', () => {
  const { status, stdout, stderr } = run('alone', {})
  expect([status, stdout]).toStrictEqual([1, ''])
  expect(stderr).toMatch(EXPLAINED)
  for (const word of ['esbuild: --external:aerospike-session', '--loader:.node=copy', 'webpack: externals', 'Next.js: serverExternalPackages']) expect(stderr).toContain(word)
  expect(stderr).not.toContain('npm run build')
})

test('so does a bundle next to another folder lib, and one without __dirname, as for ES modules', () => {
  expect(run('nested', {}, code => `const { mkdirSync } = require('fs'); mkdirSync('lib'); ${code}`).stderr).toMatch(EXPLAINED)
  expect(run('modules', {}, code => `(() => { const { __dirname, __filename } = {}; ${code.replaceAll(/typeof __dirname/g, 'typeof undefined')} })()`).stderr).toMatch(EXPLAINED)
})

test('so does a bundle in which the binary is replaced with its path', () => {
  const { stderr } = run('path', {}, code => code.replaceAll(`require('./${BINARY}')`, `'./${BINARY}'`))
  expect(stderr).toMatch(EXPLAINED)
})

test('a bundle with the binary next to it works', () => {
  expect(run('complete', { [BINARY]: path.join(ROOT, 'lib/binding', BINARY) })).toStrictEqual({ status: 0, stdout: '{ n: 1 }\n', stderr: '' })
})

describe('docs/bundlers.md', () => {
  const blocks = blocksOf('docs/bundlers.md')
  const configuration = name => {
    const { code } = blocks.find(({ file }) => file === name)
    const module = { exports: {} }
    vm.runInNewContext(code, { module })
    return module.exports
  }
  const names = Object.keys(entries).filter(entry => entry !== './package.json').map(entry => path.posix.join('aerospike-session', entry))

  test('excludes every entry point from webpack’s bundle, and no other package', () => {
    const [external] = configuration('webpack.config.js').externals
    expect(names.filter(name => !external.test(name))).toStrictEqual([])
    expect(['aerospike', 'aerospike-session-store', 'my/aerospike-session', './aerospike-session'].filter(name => external.test(name))).toStrictEqual([])
  })

  test('names the package in the configuration of Next.js', () => {
    expect([...configuration('next.config.js').serverExternalPackages]).toStrictEqual(['aerospike-session'])
  })

  test('gives complete commands for esbuild and ncc', () => {
    const commands = blocks.filter(({ language }) => language === 'sh').map(({ code }) => code.replaceAll('\\\n', '').split(/\s+/))
    expect(commands.map(([program, entry]) => [program, /^(build|app\.m?js)$/.test(entry)])).toStrictEqual([['esbuild', true], ['esbuild', true], ['esbuild', true], ['ncc', true]])
    for (const command of commands.filter(([program]) => program === 'esbuild')) {
      expect(command).toEqual(expect.arrayContaining(['--bundle', '--platform=node']))
      expect(command.some(word => ['--external:aerospike-session', '--loader:.node=copy'].includes(word))).toBe(true)
    }
  })
})
