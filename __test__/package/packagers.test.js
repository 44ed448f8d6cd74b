'use strict'

// Package managers and bundlers of docs/bundlers.md, each the real one: they install the package from a registry and build a small site, which keeps a
// session across two requests. The tools come from npm. A tool that cannot be had is skipped, unless PACKAGERS=required.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { spawn } = require('node:child_process')
const readline = require('node:readline')
const { once } = require('node:events')
const { version } = require('../../package.json')
const { blocksOf } = require('../support/pages')
const { ended } = require('../support/cli')
const { LocalRegistry } = require('../support/local-registry')
const { freshSet, hosts, openStore } = require('../support/server')
const { Browser } = require('../support/site')
const { platform, tarballs } = require('../support/tarballs')

/** The tools, and the newest major versions they were tried with. */
const TOOLS = {
  esbuild: ['esbuild@0.28'],
  webpack: ['webpack@5', 'webpack-cli@6'],
  rspack: ['@rspack/core@2', '@rspack/cli@2'],
  vite: ['vite@8'],
  nft: ['@vercel/nft@1'],
  pnpm: ['pnpm@10'] /* 11 needs Node.js 22 */,
  yarn: ['@yarnpkg/cli-dist@4'],
  postject: ['postject@1.0.0-alpha.6']
}

const CACHE = path.join(__dirname, '../../.cache/packagers')

const SITE = `
  const app = express()
  const store = new AerospikeStore({ set: process.env.AEROSPIKE_SET })
  app.use(session({ store, secret: process.env.SESSION_SECRET, resave: false, saveUninitialized: false }))
  app.get('/', (req, res) => {
    req.session.visits = (req.session.visits ?? 0) + 1
    res.json({ visits: req.session.visits })
  })
  const server = app.listen(process.env.PORT, () => console.log('Listening on ' + server.address().port))
`
const COMMONJS = `
  const express = require('express')
  const session = require('express-session')
  const { AerospikeStore } = require('aerospike-session')
  ${SITE}`
const MODULE = `
  import express from 'express'
  import session from 'express-session'
  import { AerospikeStore } from 'aerospike-session'
  ${SITE}`
const DEPENDENCIES = { 'aerospike-session': version, express: '^5.0.0', 'express-session': '^1.19.0' }

/** @type {string} */
let folder
/** @type {LocalRegistry} */
let registry
const children = new Set()

beforeAll(async () => {
  folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-')))
  registry = await LocalRegistry.open(tarballs(folder))
}, 120_000)

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await registry.close()
  fs.rmSync(folder, { recursive: true, force: true })
})

/** The environment of all programs: they install from this registry, and share no cache with the machine. */
const environment = () => ({
  PATH: process.env.PATH,
  HOME: folder,
  TMPDIR: os.tmpdir(),
  CI: '1',
  NO_COLOR: '1',
  npm_config_registry: registry.url,
  npm_config_cache: path.join(CACHE, 'npm'),
  npm_config_audit: 'false',
  npm_config_fund: 'false',
  npm_config_update_notifier: 'false',
  ...(process.env.NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS: process.env.NODE_EXTRA_CA_CERTS }),
  NEXT_TELEMETRY_DISABLED: '1'
})

/** Runs a program to its end. Fails with its output. */
async function run (command, args, cwd, env = {}) {
  const child = spawn(command, args, { cwd, env: { ...environment(), ...env } })
  children.add(child)
  const { code, out, err } = await ended(child)
  if (code !== 0) throw new Error(`${path.basename(command)} ${args.join(' ')} ended with ${code}:\n${out}${err}`)
  return out + err
}

/** Installs a tool, once for all runs. Returns the folder of its packages, or why it is not there. */
async function tool (name) {
  const home = path.join(CACHE, name)
  const isThere = () => TOOLS[name].every(spec => fs.existsSync(path.join(home, 'node_modules', spec.replace(/(?!^)@.*/, ''), 'package.json')))
  if (!isThere()) {
    fs.mkdirSync(home, { recursive: true })
    fs.writeFileSync(path.join(home, 'package.json'), '{ "private": true }')
    await run('npm', ['install', '--no-save', '--no-package-lock', ...TOOLS[name]], home)
  }
  return path.join(home, 'node_modules')
}

/** Declares a test that needs a tool. */
function withTool (name, title, fn) {
  test(title, async () => {
    let modules
    try {
      modules = await tool(name)
    } catch (error) {
      if (process.env.PACKAGERS === 'required') throw error
      console.warn(`${title} was not tried, because npm cannot install ${TOOLS[name].join(' ')}: ${error.message.split('\n').at(-1)}`)
      return
    }
    await fn(modules)
  }, 300_000)
}

/** Creates the folder of a site. */
function site (name, files, dependencies = DEPENDENCIES) {
  const place = path.join(folder, name)
  fs.mkdirSync(place)
  const all = { 'package.json': JSON.stringify({ name: `the-${name}-site`, version: '1.0.0', private: true, dependencies }), ...files }
  for (const [file, text] of Object.entries(all)) {
    fs.mkdirSync(path.dirname(path.join(place, file)), { recursive: true })
    fs.writeFileSync(path.join(place, file), text)
  }
  return place
}

/** Installs the dependencies of a site with npm. */
const npmInstall = place => run('npm', ['install', '--no-package-lock'], place)

/** Returns the block of docs/bundlers.md that contains this text. */
function documented (text) {
  const blocks = blocksOf('docs/bundlers.md').filter(({ code }) => code.includes(text))
  expect(blocks).toHaveLength(1)
  return blocks[0].code
}

/** Starts a site, and visits it twice and once more after a restart. `check` is called after each visit. */
async function visit (command, args, cwd, env = {}, check = async () => {}) {
  const set = freshSet()
  openStore({ set }) // removes the sessions afterwards
  const browser = new Browser()
  const visits = []
  for (const times of [2, 1]) {
    const child = spawn(command, args, {
      cwd, env: { ...environment(), AEROSPIKE_HOSTS: hosts(), AEROSPIKE_SET: set, PORT: '0', SESSION_SECRET: 'a secret of thirty-two characters', ...env }
    })
    children.add(child)
    let errors = ''
    child.stderr.on('data', data => { errors += data })
    const exit = once(child, 'close')
    const lines = readline.createInterface({ input: child.stdout })
    const port = await Promise.race([
      new Promise(resolve => lines.on('line', line => { const found = /Listening on (\d+)|http:\/\/[\w.]+:(\d+)/.exec(line); if (found) resolve(found[1] ?? found[2]) })),
      exit.then(([code]) => { throw new Error(`the site ended with ${code}: ${errors}`) })
    ])
    for (let n = 0; n < times; n++) {
      // Next.js prints its address before it serves.
      const { body } = await retry(() => browser.get(`http://127.0.0.1:${port}/`))
      visits.push(body.visits)
      await check(browser, `http://127.0.0.1:${port}`, body.visits)
    }
    child.kill('SIGKILL')
    await exit
  }
  expect(visits).toStrictEqual([1, 2, 3])
}

async function retry (fn) {
  for (let n = 0; ; n++) {
    try {
      return await fn()
    } catch (error) {
      if (n === 100) throw error
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

/** The packages of binaries in a folder of packages. */
const binaries = modules => fs.readdirSync(path.join(modules, '@aerospike-session'))

describe('package managers', () => {
  test('npm installs the binary of this platform alone', async () => {
    const place = site('npm', { 'app.js': COMMONJS })
    await npmInstall(place)
    expect(binaries(path.join(place, 'node_modules'))).toStrictEqual([`binding-${platform()}`])
    await visit(process.execPath, ['app.js'], place)
  }, 120_000)

  test('npm with --omit=optional: the error says what is missing', async () => {
    const place = site('omit', { 'app.js': COMMONJS })
    await run('npm', ['install', '--no-package-lock', '--omit=optional'], place)
    await expect(run(process.execPath, ['app.js'], place)).rejects.toThrow(/aerospike-session lacks the package with its binary, @aerospike-session\/binding-\S+: .*no --omit=optional/)
  }, 120_000)

  withTool('pnpm', 'pnpm, whose packages see their own dependencies only', async modules => {
    const pnpm = path.join(modules, 'pnpm/bin/pnpm.cjs')
    const place = site('pnpm', { 'app.js': COMMONJS, '.npmrc': `registry=${registry.url}\nhoist=false\nstore-dir=${path.join(folder, 'pnpm-store')}\n`, 'pnpm-workspace.yaml': 'hoist: false\n' })
    await run(process.execPath, [fs.existsSync(pnpm) ? pnpm : path.join(modules, 'pnpm/bin/pnpm.mjs'), 'install', '--no-frozen-lockfile'], place)
    expect(fs.existsSync(path.join(place, 'node_modules/@aerospike-session'))).toBe(false)
    await visit(process.execPath, ['app.js'], place)
  })

  const YARN = () => `nodeLinker: pnp\nnpmRegistryServer: '${registry.url}'\nunsafeHttpWhitelist: ['127.0.0.1']\nenableGlobalCache: false\nenableTelemetry: false\nnpmMinimalAgeGate: 0\n`

  withTool('yarn', "Yarn's Plug'n'Play, without node_modules", async modules => {
    const yarn = path.join(modules, '@yarnpkg/cli-dist/bin/yarn.js')
    const place = site('yarn', { 'app.js': COMMONJS, '.yarnrc.yml': YARN(), 'yarn.lock': '' })
    await run(process.execPath, [yarn, 'install', '--no-immutable'], place)
    expect(fs.existsSync(path.join(place, 'node_modules'))).toBe(false)
    await visit(process.execPath, ['--require', './.pnp.cjs', 'app.js'], place)
  })

  withTool('yarn', "Yarn's Plug'n'Play, in a workspace in which only another package depends on this one", async modules => {
    const yarn = path.join(modules, '@yarnpkg/cli-dist/bin/yarn.js')
    const place = site('workspace', {
      'package.json': JSON.stringify({ name: 'all', private: true, workspaces: ['site', 'sessions'] }),
      '.yarnrc.yml': YARN(),
      'yarn.lock': '',
      'sessions/package.json': JSON.stringify({ name: 'sessions', version: '1.0.0', dependencies: DEPENDENCIES }),
      'sessions/index.js': "module.exports = { ...require('aerospike-session'), express: require('express'), session: require('express-session') }",
      'site/package.json': JSON.stringify({ name: 'site', version: '1.0.0', dependencies: { sessions: 'workspace:*' } }),
      'site/app.js': `const { AerospikeStore, express, session } = require('sessions')\n${SITE}`
    })
    await run(process.execPath, [yarn, 'install', '--no-immutable'], place)
    await visit(process.execPath, ['--require', './.pnp.cjs', 'site/app.js'], place)
  })
})

describe('bundlers', () => {
  withTool('esbuild', 'esbuild, with the package left out', async modules => {
    const place = site('esbuild', { 'app.js': COMMONJS })
    await npmInstall(place)
    await run(path.join(modules, '.bin/esbuild'), commandOf('--outfile=dist/app.js', '--external'), place)
    await visit(process.execPath, ['dist/app.js'], place)
  })

  withTool('esbuild', 'esbuild, with the binary beside the bundle, and no node_modules', async modules => {
    const place = site('esbuild-copy', { 'app.js': COMMONJS, 'app.mjs': MODULE })
    await npmInstall(place)
    await run(path.join(modules, '.bin/esbuild'), commandOf('--outfile=dist/app.js', '--loader'), place)
    fs.renameSync(path.join(place, 'node_modules'), path.join(place, 'gone'))
    await visit(process.execPath, ['dist/app.js'], place)
  })

  withTool('esbuild', 'esbuild, as an ES module with the binary beside it', async modules => {
    const place = site('esbuild-esm', { 'app.mjs': MODULE })
    await npmInstall(place)
    await run(path.join(modules, '.bin/esbuild'), commandOf('--format=esm', '--loader'), place)
    fs.renameSync(path.join(place, 'node_modules'), path.join(place, 'gone'))
    await visit(process.execPath, ['dist/app.mjs'], place)
  })

  withTool('webpack', 'webpack', async modules => {
    const place = site('webpack', { 'app.js': COMMONJS, 'webpack.config.js': documented('// webpack.config.js') })
    await npmInstall(place)
    await run(process.execPath, [path.join(modules, 'webpack/bin/webpack.js'), '--output-filename', 'app.js'], place)
    await visit(process.execPath, ['dist/app.js'], place)
  })

  withTool('rspack', 'Rspack, with the configuration of webpack', async modules => {
    const place = site('rspack', { 'app.js': COMMONJS, 'rspack.config.js': documented('// webpack.config.js') })
    await npmInstall(place)
    await run(process.execPath, [path.join(modules, '@rspack/cli/bin/rspack.js'), 'build'], place)
    await visit(process.execPath, ['dist/main.js'], place)
  })

  withTool('vite', "Vite's build for servers", async modules => {
    const place = site('vite', { 'app.mjs': MODULE })
    await npmInstall(place)
    await run(process.execPath, [path.join(modules, 'vite/bin/vite.js'), 'build', '--ssr', 'app.mjs'], place)
    const [built] = fs.readdirSync(path.join(place, 'dist'))
    await visit(process.execPath, [path.join('dist', built)], place)
  })

  withTool('nft', '@vercel/nft, which copies the files that are needed', async modules => {
    const place = site('nft', { 'app.js': COMMONJS })
    await npmInstall(place)
    const { nodeFileTrace } = require(path.join(modules, '@vercel/nft'))
    const { fileList } = await nodeFileTrace([path.join(place, 'app.js')], { base: place, conditions: ['node', 'module-sync'] })
    const out = path.join(folder, 'traced')
    for (const file of fileList) {
      fs.mkdirSync(path.dirname(path.join(out, file)), { recursive: true })
      fs.cpSync(path.join(place, file), path.join(out, file))
    }
    await visit(process.execPath, ['app.js'], out)
  })

  test('Next.js, standalone, with a route and a server component', async () => {
    const place = site('next', {
      'next.config.js': documented('// next.config.js').replace('module.exports = {', "module.exports = {\n  output: 'standalone',\n  outputFileTracingRoot: __dirname,"),
      'lib/sessions.js': "import { SessionStore } from 'aerospike-session'\nexport const sessions = globalThis.sessions ??= new SessionStore({ set: process.env.AEROSPIKE_SET })\n",
      'app/layout.js': 'export default ({ children }) => <html><body>{children}</body></html>\n',
      'app/page/page.js': `
        import { cookies } from 'next/headers'
        import { sessions } from '../../lib/sessions'
        export const dynamic = 'force-dynamic'
        export default async function Page () {
          const sid = (await cookies()).get('sid')?.value
          return <p>{'seen: ' + ((await sessions.get(sid))?.visits ?? 0)}</p>
        }`,
      'app/route.js': `
        import { cookies } from 'next/headers'
        import { sessions } from '../lib/sessions'
        export const dynamic = 'force-dynamic'
        export async function GET () {
          const jar = await cookies()
          const sid = jar.get('sid')?.value ?? crypto.randomUUID()
          const visits = ((await sessions.get(sid))?.visits ?? 0) + 1
          await sessions.save(sid, { visits })
          jar.set('sid', sid)
          return Response.json({ visits })
        }`
    }, { 'aerospike-session': version, next: '^16.0.0', react: '^19.0.0', 'react-dom': '^19.0.0' })
    await npmInstall(place)
    await run(process.execPath, [path.join(place, 'node_modules/next/dist/bin/next'), 'build', '--webpack'], place)
    const standalone = path.join(place, '.next/standalone')
    expect(binaries(path.join(standalone, 'node_modules'))).toStrictEqual([`binding-${platform()}`])
    fs.renameSync(path.join(place, 'node_modules'), path.join(place, 'gone'))
    const env = { PORT: String(await freePort()), HOSTNAME: '127.0.0.1' }
    await visit(process.execPath, ['server.js'], standalone, env, async (browser, url, visits) => {
      expect((await browser.get(`${url}/page`)).body).toContain(`seen: ${visits}`)
    })
  }, 300_000)

  withTool('postject', "Node.js's single executable, with the package beside it", async modules => {
    const place = site('sea', {
      'app.js': documented('createRequire(process.execPath)').replace(/^.*fromDisk\('aerospike-session'\).*$/m, COMMONJS.replaceAll('require(', 'fromDisk(')),
      'sea.json': JSON.stringify({ main: 'app.js', output: 'app.blob', disableExperimentalSEAWarning: true })
    })
    await npmInstall(place)
    await run(process.execPath, ['--experimental-sea-config', 'sea.json'], place)
    fs.copyFileSync(process.execPath, path.join(place, 'program'))
    await run(process.execPath, [path.join(modules, 'postject/dist/cli.js'), 'program', 'NODE_SEA_BLOB', 'app.blob', '--sentinel-fuse', 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'], place)
    await visit(path.join(place, 'program'), [], place)
  })
})

/** Returns the arguments of the command of esbuild in docs/bundlers.md with both of these. */
function commandOf (...parts) {
  const commands = blocksOf('docs/bundlers.md').filter(({ language, code }) => language === 'sh' && parts.every(part => code.includes(part)))
  const [{ code }] = commands.sort((a, b) => a.code.length - b.code.length)
  const [, ...args] = Array.from(code.replace(/\\\n/g, ' ').matchAll(/(?:[^\s"]+|"[^"]*")+/g), ([word]) => word.replaceAll('"', ''))
  return args
}

async function freePort () {
  const server = require('node:net').createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}
