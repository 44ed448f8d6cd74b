'use strict'

// The package as users get it: packed, then installed from its tarballs into an empty folder, without a network and without
// Rust. Used from CommonJS, ES modules and jest. types-of-tarball.test.js covers TypeScript.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { SessionStore } = require('../..')
const { packageFor } = require('../../lib/bridge/platforms')
const { tarballOf } = require('../../scripts/publish')
const { except, withoutDeprecations } = require('../support/runtime')
const { freshSet, hosts } = require('../support/server')
const { Browser } = require('../support/site')
const { Consumer, ROOT, bareMachine, platform, tarballs } = require('../support/tarballs')

const MB = 1_000_000
/** Turns every warning of Node.js into an error. */
const STRICT = ['--throw-deprecation', '--pending-deprecation']

let folder, bin, packed
/** @type {Consumer} */
let app

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-'))
  packed = tarballs(folder)
  bin = bareMachine(path.join(folder, 'bin'))
  app = new Consumer(path.join(folder, 'app'), bin)
  await app.install(packed.main, packed.binary)
  app.add('express', 'express-session')
}, 120_000)

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  fs.rmSync(folder, { recursive: true, force: true })
})

/** Returns the bytes of a folder's files. */
function size (place) {
  const stat = fs.statSync(place)
  if (!stat.isDirectory()) return stat.size
  return fs.readdirSync(place).reduce((sum, name) => sum + size(path.join(place, name)), 0)
}

test('the tarballs have the names that a release publishes', () => {
  const { version } = require('../../package.json')
  expect(path.basename(packed.main)).toBe(tarballOf('aerospike-session', version))
  expect(path.basename(packed.binary)).toBe(tarballOf(packageFor(platform()), version))
})

test('installs two packages: the package, and the binary for this platform', () => {
  const installed = JSON.parse(fs.readFileSync(app.path('node_modules/.package-lock.json'), 'utf8')).packages
  expect(Object.keys(installed).sort()).toStrictEqual([
    `node_modules/${packageFor(platform())}`, 'node_modules/aerospike-session'
  ])
  for (const one of Object.values(installed)) expect(one).not.toHaveProperty('hasInstallScript')
})

test('the published package depends on the binaries of all platforms, in exactly its own version', () => {
  const { version, optionalDependencies, dependencies } = JSON.parse(fs.readFileSync(app.path('node_modules/aerospike-session/package.json'), 'utf8'))
  expect(dependencies).toBeUndefined()
  const platforms = [
    'darwin-arm64', 'darwin-x64', 'linux-arm64-gnu', 'linux-arm64-musl', 'linux-x64-gnu', 'linux-x64-musl',
    'win32-arm64-msvc', 'win32-x64-msvc'
  ]
  expect(optionalDependencies).toEqual(Object.fromEntries(platforms.map(one => [`@aerospike-session/binding-${one}`, version])))
  const binary = JSON.parse(fs.readFileSync(app.path(`node_modules/${packageFor(platform())}/package.json`), 'utf8'))
  expect(binary).toMatchObject({ version, os: [process.platform], cpu: [process.arch] })
  expect(binary).not.toHaveProperty('scripts')
})

test('includes the licenses of the package and of everything in its binary', () => {
  const terms = (name, file) => fs.readFileSync(app.path('node_modules', name, file), 'utf8')
  for (const name of ['aerospike-session', packageFor(platform())]) expect(terms(name, 'LICENSE')).toMatch(/Apache License/)
  expect(terms(packageFor(platform()), 'THIRD-PARTY-LICENSES.txt')).toMatch(/^aerospike-core 3\.0\.0 /m)
})

test('installs less than 11 MB', () => {
  const bytes = ['aerospike-session', packageFor(platform())].map(name => size(app.path('node_modules', name)))
  expect(bytes[0]).toBeLessThan(0.6 * MB)
  expect(bytes[0] + bytes[1]).toBeLessThan(11 * MB)
})

/** Returns the README's Express example, on this cluster and any free port. */
function readmeExample () {
  const readme = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8')
  const [, code] = /^```js\n([^]*?)^```$/m.exec(readme)
  const replace = (code, from, to) => {
    expect(code.split(from)).toHaveLength(2)
    return code.replace(from, to)
  }
  const here = replace(code, "'10.0.0.1:3000,10.0.0.2:3000'", 'process.env.HOSTS')
  return replace(here, 'app.listen(8080)', 'app.listen(0, function () { console.log(this.address().port) })')
}

/** Starts an application of the folder. Resolves when it prints its port in the first line. */
async function serve (file, { flags = STRICT, env = {} } = {}) {
  const child = spawn(process.execPath, [...flags, file], {
    cwd: app.folder, env: { ...app.env, HOSTS: hosts(), SESSION_SECRET: 'a secret of thirty-two characters', ...env }, stdio: ['ignore', 'pipe', 'pipe']
  })
  children.add(child)
  let errorOutput = ''
  child.stderr.on('data', data => { errorOutput += data })
  const exit = once(child, 'close')
  const port = await Promise.race([
    once(readline.createInterface({ input: child.stdout }), 'line').then(([line]) => /\d+$/.exec(line)[0]),
    exit.then(([code]) => { throw new Error(`it ended with ${code}: ${errorOutput}`) })
  ])
  const stop = async () => {
    child.kill()
    await exit
    expect(withoutDeprecations(errorOutput)).toBe('')
  }
  return { url: `http://127.0.0.1:${port}`, stop }
}

test("the README's Express example serves a session that survives a restart of the application", async () => {
  app.write('app.js', readmeExample())
  let server = await serve('app.js')
  const first = await fetch(server.url)
  expect(await first.text()).toBe('Visit number 1')
  const [cookie] = first.headers.getSetCookie()[0].split(';')
  const visit = async () => (await fetch(server.url, { headers: { cookie } })).text()
  expect(await visit()).toBe('Visit number 2')
  await server.stop()

  server = await serve('app.js')
  expect(await visit()).toBe('Visit number 3')
  await server.stop()

  const sessions = new SessionStore({ hosts: hosts() })
  const [, id] = /^connect\.sid=s:([^.]+)\./.exec(decodeURIComponent(cookie))
  expect(await sessions.delete(id)).toBe(true)
  await sessions.close()
}, 60_000)

// Copies the frameworks with their dependencies. Their own use of deprecated features is ignored.
test.each([
  ['fastify', 'app.js', ['fastify', '@fastify/cookie', '@fastify/session']],
  ['koa', 'app.js', ['koa', 'koa-session']],
  ['hono', 'app.mjs', ['hono', '@hono/node-server', 'hono-sessions']],
  ['react-router', 'app.js', ['react-router', 'react', 'react-dom']]
])('the example of %s serves a session that survives a restart of the application', async (framework, file, packages) => {
  app.add(...packages)
  fs.cpSync(path.join(ROOT, 'examples', framework), app.path(framework), { recursive: true })
  const env = { AEROSPIKE_HOSTS: hosts(), AEROSPIKE_SET: freshSet(), NODE_ENV: 'development', PORT: '0' }
  const start = () => serve(`${framework}/${file}`, { flags: [], env })
  const browser = new Browser()

  let server = await start()
  for (const visits of [1, 2]) expect((await browser.get(`${server.url}/`)).body).toEqual({ user: null, visits })
  await server.stop()
  server = await start()
  expect((await browser.get(`${server.url}/`)).body).toEqual({ user: null, visits: 3 })
  await server.stop()
}, 60_000)

test('installs the command', async () => {
  const { version } = require('../../package.json')
  const command = app.path('node_modules/aerospike-session/bin/aerospike-session.js')
  expect(await app.run([...STRICT, command, '--version'])).toStrictEqual({ stdout: `${version}\n`, stderr: '' })
  if (process.platform !== 'win32') expect(fs.realpathSync(app.path('node_modules/.bin/aerospike-session'))).toBe(fs.realpathSync(command))
})

test('works in an ES module, with named exports and the default export', async () => {
  app.write('program.mjs', `
    import AerospikeStore, { AerospikeStore as Named, SessionStore, AerospikeSessionError } from 'aerospike-session'
    import DevServer, { DevServer as NamedServer } from 'aerospike-session/dev-server'
    console.log(AerospikeStore === Named, SessionStore.name, AerospikeSessionError.name, DevServer === NamedServer)
  `)
  const stdout = 'true SessionStore AerospikeSessionError true\n'
  expect(await app.run([...STRICT, 'program.mjs'])).toStrictEqual({ stdout, stderr: '' })
})

// See support/jest.bun.config.js.
except(['bun'], 'jest needs a configuration of its own')('jest runs tests that use it, and exits by itself', async () => {
  app.write('app.test.js', `
    const session = require('express-session')
    const express = require('express')
    const { once } = require('node:events')
    const { AerospikeStore } = require('aerospike-session')
    const { DevServer } = require('aerospike-session/dev-server')

    test('keeps a session', async () => {
      const server = await DevServer.start()
      const app = express()
      app.use(session({ store: new AerospikeStore({ hosts: server.hosts }), secret: 'a', resave: false, saveUninitialized: false }))
      app.get('/', (req, res) => res.json(req.session.visits = (req.session.visits ?? 0) + 1))
      const listening = app.listen(0)
      await once(listening, 'listening')
      const url = 'http://127.0.0.1:' + listening.address().port
      const first = await fetch(url)
      const headers = { cookie: first.headers.getSetCookie()[0].split(';')[0], connection: 'close' }
      expect(await (await fetch(url, { headers })).json()).toBe(2)
      listening.closeAllConnections()
      await new Promise(done => listening.close(done))
      await server.stop()
    })
  `)
  const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js')
  const { stderr } = await app.run([jest, '--ci', '--runInBand', '--rootDir', app.folder, '--config', '{"testMatch":["<rootDir>/app.test.js"]}'])
  expect(stderr).toMatch(/Tests: +1 passed, 1 total/)
  expect(stderr).not.toMatch(/did not exit|open handle/)
}, 120_000)

describe('without a binary, the error explains why', () => {
  /** @type {Consumer} */
  let bare
  /** Returns the error of a program that requires the package on a platform. */
  const loadError = (as = {}, env = {}) => {
    const overrides = Object.entries(as).map(([name, value]) => `Object.defineProperty(process, '${name}', { value: '${value}' })`)
    const program = `${overrides.join('\n')}\ntry { require('aerospike-session') } catch (error) { console.log(error.message) }`
    return bare.run(['--eval', program], env).then(({ stdout }) => stdout)
  }

  beforeAll(async () => {
    bare = new Consumer(path.join(folder, 'bare'), bin)
    await bare.install('--omit=optional', packed.main)
  }, 60_000)

  const UNSUPPORTED = 'there are binaries for Linux (x64, arm64), macOS (x64, arm64), Windows (x64, arm64)'

  test.each([['freebsd', 'x64'], ['linux', 'riscv64'], ['win32', 'ia32'], ['aix', 'ppc64']])('an unsupported platform: %s %s', async (platform, arch) => {
    expect(await loadError({ platform, arch })).toBe(`aerospike-session does not support ${platform} ${arch}: ${UNSUPPORTED}\n`)
  })

  test('the optional dependency is missing', async () => {
    expect(await loadError()).toBe(
      `aerospike-session lacks the package with its binary, @aerospike-session/binding-${platform()}: install again on this very platform, ` +
      'without node_modules, without a package-lock.json made on another one, and with optional dependencies (no --omit=optional)\n'
    )
  })

  test('node_modules come from another platform', async () => {
    expect(await loadError({ platform: 'darwin', arch: 'arm64' })).toMatch(/^aerospike-session lacks .*, @aerospike-session\/binding-darwin-arm64: install again [^\n]*\n$/)
  })

  test('the binary does not load', async () => {
    const name = packageFor(platform())
    const place = bare.path('node_modules', name)
    fs.cpSync(app.path('node_modules', name), place, { recursive: true })
    fs.writeFileSync(path.join(place, `aerospike-session.${platform()}.node`), 'nothing that a linker reads')
    expect(await loadError()).toMatch(/^aerospike-session's binary for this platform does not load \(it needs glibc 2\.17 or newer, or musl, on Linux\): \S[^\n]*\n$/)
    fs.rmSync(place, { recursive: true })
  })

  test('NAPI_RS_NATIVE_LIBRARY_PATH names an invalid file', async () => {
    expect(await loadError({}, { NAPI_RS_NATIVE_LIBRARY_PATH: '/nowhere.node' })).toMatch(
      /^aerospike-session: \/nowhere\.node, which NAPI_RS_NATIVE_LIBRARY_PATH names, does not load: [^\n]*\n$/
    )
  })

  // Bun and Deno print uncaught errors in ways of their own.
  except(['bun', 'deno'], 'the form of uncaught errors')('an uncaught error shows this message, without the list of what was tried', async () => {
    const { stderr } = await bare.run(['--eval', "require('aerospike-session')"]).catch(error => error)
    expect(stderr).toMatch(/\nError: aerospike-session lacks the package/)
    expect(stderr).not.toMatch(/cause/)
    expect(stderr.split('\n').length).toBeLessThan(25)
  })
})
