'use strict'

// A registry of npm in this process. It serves the package and its binaries from tarballs, as after a release, and everything
// else from the registry that npm is configured for. So package managers choose the binary by platform, as users' do.

const crypto = require('node:crypto')
const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const { execFileSync } = require('node:child_process')
const { once } = require('node:events')
const { Readable } = require('node:stream')
const { packageFor, suffixes } = require('../../lib/bridge/platforms')
const { tarballOf } = require('../../scripts/publish')
const { name: MAIN, version } = require('../../package.json')
const { platform } = require('./tarballs')

const LIBC = { gnu: 'glibc', musl: 'musl' }

/** Returns the package.json in a tarball. */
function manifestOf (tarball) {
  return JSON.parse(execFileSync('tar', ['--extract', '--to-stdout', '--file', tarball, 'package/package.json'], { encoding: 'utf8' }))
}

class LocalRegistry {
  /** @type {Map<string, { manifest: object, tarball: Buffer }>} */
  #packages = new Map()

  /** @param {{ main: string, binary: string }} tarballs */
  constructor ({ main, binary }) {
    this.#packages.set(MAIN, { manifest: manifestOf(main), tarball: fs.readFileSync(main) })
    const own = manifestOf(binary)
    this.#packages.set(own.name, { manifest: own, tarball: fs.readFileSync(binary) })
    for (const suffix of suffixes.filter(suffix => suffix !== platform())) {
      const [os, cpu, abi] = suffix.split('-')
      const libc = LIBC[abi] === undefined ? {} : { libc: [LIBC[abi]] }
      // No package manager downloads the binary of another platform.
      const name = packageFor(suffix)
      this.#packages.set(name, { manifest: { name, version, os: [os], cpu: [cpu], ...libc }, tarball: Buffer.from('the binary of another platform') })
    }
  }

  /** @param {{ main: string, binary: string }} tarballs */
  static async open (tarballs) {
    const registry = new LocalRegistry(tarballs)
    registry.upstream = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', shell: process.platform === 'win32' }).trim()
    registry.server = http.createServer((req, res) => registry.#answer(req, res).catch(error => res.destroy(error))).listen(0, '127.0.0.1')
    await once(registry.server, 'listening')
    registry.url = `http://127.0.0.1:${registry.server.address().port}/`
    return registry
  }

  async #answer (req, res) {
    const { pathname } = new URL(req.url, this.url)
    // The tarballs of other packages, see below.
    const elsewhere = /^\/-\/(https?%3A.+)$/.exec(pathname)?.[1]
    if (elsewhere !== undefined) return this.#pass(await fetch(decodeURIComponent(elsewhere)), res)
    const [name, file] = decodeURIComponent(pathname.slice(1)).split('/-/')
    const own = this.#packages.get(name)
    if (own === undefined) {
      const headers = req.headers.accept === undefined ? {} : { accept: req.headers.accept }
      const answer = await fetch(new URL(req.url.slice(1), this.upstream), { headers })
      if (!/json/.test(answer.headers.get('content-type') ?? '')) return this.#pass(answer, res)
      // Everything comes by way of this registry: package managers may trust other certificates than Node.js does.
      const text = (await answer.text()).replace(/"tarball":\s*"(https?:[^"]+)"/g, (_, url) => `"tarball":"${this.url}-/${encodeURIComponent(url)}"`)
      return res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') }).end(text)
    }
    if (file !== undefined) return res.end(own.tarball)
    const { manifest, tarball } = own
    const dist = {
      tarball: `${this.url}${name}/-/${path.basename(tarballOf(name, version))}`,
      integrity: `sha512-${crypto.createHash('sha512').update(tarball).digest('base64')}`,
      shasum: crypto.createHash('sha1').update(tarball).digest('hex')
    }
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ name, 'dist-tags': { latest: version }, time: { [version]: '2026-01-01T00:00:00.000Z' }, versions: { [version]: { ...manifest, dist } } }))
  }

  /** @param {Response} answer */
  #pass (answer, res) {
    res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/octet-stream' })
    if (answer.body === null) res.end()
    else Readable.fromWeb(answer.body).pipe(res)
  }

  async close () {
    this.server.close()
    this.server.closeAllConnections()
    await once(this.server, 'close')
  }
}

module.exports = { LocalRegistry }
