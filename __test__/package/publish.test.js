'use strict'

// scripts/publish.js. Its steps are tested with a fake npm that answers at once. How it reads npm's answers is tested with the
// real npm, on a registry in this process.

const crypto = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { execFile, execFileSync } = require('node:child_process')
const { once } = require('node:events')
const { packageFor, suffixes } = require('../../lib/bridge/platforms')
const { publish, tarballOf } = require('../../scripts/publish')
const { name: MAIN, version } = require('../../package.json')

const BINARIES = suffixes.map(packageFor)
const [FIRST] = BINARIES
const LAST = BINARIES.at(-1)

/** A registry that implements what `npm view` and `npm publish` need. */
class Registry {
  /** Tarballs by package name. @type {Map<string, Buffer>} */
  packages = new Map()
  /** The publications, in order: name, tag, access. */
  published = []
  /** Called before each answer. If it returns a status, that is the answer. */
  refuse = () => undefined

  view (name) {
    const status = this.refuse('GET', name)
    if (status !== undefined) return { status }
    const tarball = this.packages.get(name)
    return tarball === undefined ? { status: 404 } : { status: 200, integrity: integrityOf(tarball) }
  }

  publish (name, tarball, tag, access) {
    const status = this.refuse('PUT', name) ?? (this.packages.has(name) ? 403 : 201)
    if (status !== 201) return status
    this.packages.set(name, tarball)
    this.published.push([name, tag, access])
    return status
  }

  /** Answers like the real npm. */
  npm = async (command, ...args) => {
    const failed = status => ({ failed: true, stdout: JSON.stringify({ error: { code: `E${status}` } }), stderr: `npm error code E${status}` })
    if (command === 'view') {
      const [spec, field, format] = args
      expect([field, format]).toStrictEqual(['dist.integrity', '--json'])
      const { status, integrity } = this.view(spec.slice(0, -`@${version}`.length))
      return status === 200 ? { failed: false, stdout: JSON.stringify(integrity), stderr: '' } : failed(status)
    }
    const [file, ...options] = args
    expect(options).toStrictEqual(['--access', 'public', '--tag', 'latest'])
    const status = this.publish([...BINARIES, MAIN].find(name => fileOf(name) === file), fs.readFileSync(file), 'latest', 'public')
    return status === 201 ? { failed: false, stdout: '', stderr: '' } : failed(status)
  }

  /** Listens for the real npm. */
  async open () {
    this.server = http.createServer(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += chunk
      const name = decodeURIComponent(new URL(req.url, this.url).pathname.slice(1))
      const send = (status, value) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
      if (req.method === 'PUT') {
        const { _attachments: attachments, 'dist-tags': tags, access } = JSON.parse(body)
        const [[tag]] = Object.entries(tags)
        return send(this.publish(name, Buffer.from(Object.values(attachments)[0].data, 'base64'), tag, access), {})
      }
      const { status, integrity } = this.view(name)
      if (status !== 200) return send(status, { error: 'refused for the test' })
      const dist = { integrity, tarball: `${this.url}${name}/-/file.tgz` }
      send(200, { name, 'dist-tags': { latest: version }, versions: { [version]: { name, version, dist } } })
    }).listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.url = `http://127.0.0.1:${this.server.address().port}/`
  }

  async close () {
    this.server.close()
    this.server.closeAllConnections()
    await once(this.server, 'close')
  }
}

const integrityOf = tarball => `sha512-${crypto.createHash('sha512').update(tarball).digest('base64')}`

let folder, dist
/** @type {Registry} */
let registry
const lines = []

const fileOf = name => path.join(dist, tarballOf(name, version))
const ours = name => fs.readFileSync(fileOf(name))

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-'))
  dist = path.join(folder, 'dist')
  fs.mkdirSync(dist)
  for (const name of [...BINARIES, MAIN]) fs.writeFileSync(fileOf(name), `the package ${name}`)
  registry = new Registry()
  lines.length = 0
})
afterEach(() => fs.rmSync(folder, { recursive: true }))

const release = options => publish({ dist, npm: registry.npm, pause: 1, timeout: 60_000, log: line => lines.push(line), ...options })
const names = () => registry.published.map(([name]) => name)

test('publishes the packages of the binaries first, then the main package, all of them public', async () => {
  await release()
  expect(names()).toStrictEqual([...BINARIES, MAIN])
  for (const name of names()) expect(registry.packages.get(name)).toEqual(ours(name))
})

test('continues an interrupted run with the missing packages', async () => {
  for (const name of BINARIES.slice(0, -1)) registry.packages.set(name, ours(name))
  await release()
  expect(names()).toStrictEqual([LAST, MAIN])
  expect(lines).toContain(`${FIRST}@${version} is published already`)
})

test.each([['first binary', FIRST], ['last binary', LAST], ['main package', MAIN]])('publishes nothing if the %s in the registry has other bytes', async (which, name) => {
  const theirs = Buffer.from('a package of someone else')
  registry.packages.set(name, theirs)
  await expect(release()).rejects.toThrow(
    `${name}@${version} is in the registry, but is not ours: its integrity is ${integrityOf(theirs)}, and that of ` +
    `${tarballOf(name, version)} is ${integrityOf(ours(name))}. Nothing more is published.`
  )
  expect(names()).toStrictEqual([])
})

test('does not publish the main package if the registry gives no integrity of a binary', async () => {
  const npm = async (command, ...args) => args[0] === `${LAST}@${version}` ? { failed: false, stdout: '', stderr: '' } : registry.npm(command, ...args)
  await expect(release({ npm })).rejects.toThrow(`The registry gives no integrity of ${LAST}@${version}.`)
  expect(names()).toStrictEqual([])
})

test('does not publish the main package if a binary is rejected', async () => {
  registry.refuse = (method, name) => method === 'PUT' && name === LAST ? 403 : undefined
  await expect(release()).rejects.toThrow(`npm publish of ${LAST}@${version} failed: `)
  expect(names()).not.toContain(MAIN)
})

test('does not publish the main package if the registry has other bytes for a binary than were sent', async () => {
  registry.refuse = (method, name) => {
    if (name === LAST && registry.published.some(([one]) => one === LAST)) registry.packages.set(LAST, Buffer.from('theirs'))
  }
  await expect(release()).rejects.toThrow(`${LAST}@${version} is in the registry, but is not ours`)
  expect(names()).toStrictEqual(BINARIES)
})

describe('after the binaries are published, the registry', () => {
  beforeEach(() => {
    for (const name of BINARIES.slice(1)) registry.packages.set(name, ours(name))
  })

  test('may show them late: the main package waits', async () => {
    let looks = 0
    registry.refuse = (method, name) => method === 'GET' && name === FIRST && names().includes(FIRST) && ++looks <= 2 ? 404 : undefined
    await release()
    expect(names()).toStrictEqual([FIRST, MAIN])
    expect(looks).toBe(3)
  })

  test('must show them in the end: otherwise the main package is not published', async () => {
    registry.refuse = (method, name) => method === 'GET' && name === FIRST && names().includes(FIRST) ? 404 : undefined
    await expect(release({ timeout: 0 })).rejects.toThrow(`${FIRST}@${version} was published, but the registry does not have it. Nothing more is published.`)
    expect(names()).toStrictEqual([FIRST])
  })
})

test.each([['binary', FIRST], ['main package', MAIN]])('publishes nothing if the tarball of a %s is missing', async (which, name) => {
  fs.rmSync(fileOf(name))
  await expect(release()).rejects.toThrow(`There is no ${fileOf(name)}: npm run pack -- --all`)
  expect(names()).toStrictEqual([])
})

test('publishes nothing if a file does not belong to the release', async () => {
  fs.writeFileSync(path.join(dist, 'aerospike-session-0.0.1.tgz'), '')
  await expect(release()).rejects.toThrow(`holds files that are not part of ${version}: aerospike-session-0.0.1.tgz.`)
  expect(names()).toStrictEqual([])
})

test('names a tarball as npm pack does', () => {
  expect(tarballOf('@scope/name', '1.2.3-rc.1')).toBe('scope-name-1.2.3-rc.1.tgz')
  expect(tarballOf('name', '1.2.3')).toBe('name-1.2.3.tgz')
})

describe('with the real npm', () => {
  let settings
  const npm = (...args) => new Promise(resolve => {
    const options = { cwd: folder, env: { ...process.env, ...settings }, shell: process.platform === 'win32' }
    execFile('npm', args, options, (error, stdout, stderr) => resolve({ failed: error !== null, stdout, stderr }))
  })

  beforeEach(async () => {
    await registry.open()
    settings = {
      npm_config_registry: registry.url,
      [`npm_config_${registry.url.slice('http:'.length)}:_authToken`]: 'only for tests',
      npm_config_cache: path.join(folder, 'cache'),
      npm_config_fetch_retries: '0',
      npm_config_update_notifier: 'false'
    }
  })
  afterEach(() => registry.close())

  test('publishes missing packages, public and byte for byte', async () => {
    const content = path.join(folder, 'content/package')
    fs.mkdirSync(content, { recursive: true })
    for (const name of [LAST, MAIN]) {
      fs.writeFileSync(path.join(content, 'package.json'), JSON.stringify({ name, version }))
      execFileSync('tar', ['-czf', fileOf(name), '-C', path.dirname(content), 'package'])
    }
    for (const name of BINARIES.slice(0, -1)) registry.packages.set(name, ours(name))
    await release({ npm })
    expect(registry.published).toStrictEqual([[LAST, 'latest', 'public'], [MAIN, 'latest', 'public']])
    for (const name of [LAST, MAIN]) expect(registry.packages.get(name)).toEqual(ours(name))
  }, 120_000)

  test('stops the release if a package has other bytes', async () => {
    registry.packages.set(FIRST, Buffer.from('a package of someone else'))
    await expect(release({ npm })).rejects.toThrow(`${FIRST}@${version} is in the registry, but is not ours`)
  }, 30_000)

  test('does not count another version of a package as published', async () => {
    registry.packages.set(FIRST, ours(FIRST))
    const { stdout, failed } = await npm('view', `${FIRST}@99.0.0`, 'dist.integrity', '--json')
    expect([failed, JSON.parse(stdout).error.code]).toStrictEqual([true, 'E404'])
  }, 30_000)

  test.each([401, 403, 500, 503])('does not count an answer with status %d as "not published"', async status => {
    registry.refuse = () => status
    await expect(release({ npm })).rejects.toThrow(`The registry does not answer whether ${FIRST}@${version} is published: `)
  }, 30_000)

  test('does not count an unreachable registry as "not published"', async () => {
    settings.npm_config_registry = 'http://127.0.0.1:1/'
    await expect(release({ npm })).rejects.toThrow(/does not answer whether .*ECONNREFUSED/s)
  }, 30_000)
})
