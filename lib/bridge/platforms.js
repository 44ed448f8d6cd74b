'use strict'

// The platforms that have a binary, from `napi.targets` in package.json.

const { napi } = require('../../package.json')

/** @type {Record<string, string>} */
const ARCHES = { x86_64: 'x64', aarch64: 'arm64' }
/** @type {Record<string, [platform: string, system: string]>} */
const SYSTEMS = { linux: ['linux', 'Linux'], darwin: ['darwin', 'macOS'], windows: ['win32', 'Windows'] }

/**
 * @param {string} target such as `x86_64-unknown-linux-gnu`
 * @returns {{ arch: string, system: string, suffix: string }} the suffix is napi's name of the platform, such as `linux-x64-gnu`
 */
function describe (target) {
  const [processor, , os, abi] = target.split('-')
  const arch = ARCHES[processor]
  const [platform, system] = SYSTEMS[os]
  return { arch, system, suffix: [platform, arch, abi].filter(part => part !== undefined).join('-') }
}

const platforms = napi.targets.map(describe)

/** napi's names of the platforms, which are part of the names of binaries and packages. @type {string[]} */
const suffixes = platforms.map((/** @type {{ suffix: string }} */ { suffix }) => suffix)

/**
 * Returns the name of the package with a platform's binary. The scope belongs to the project, so others cannot publish a
 * package with such a name.
 * @param {string} suffix
 */
const packageFor = suffix => `${napi.packageName}-${suffix}`

/** Returns the platforms for a message: `Linux (x64, arm64), macOS (…), …`. */
function supported () {
  /** @type {Record<string, Set<string>>} */
  const systems = {}
  for (const { system, arch } of platforms) (systems[system] ??= new Set()).add(arch)
  return Object.entries(systems).map(([system, arches]) => `${system} (${[...arches].join(', ')})`).join(', ')
}

/**
 * Whether this is Node.js itself on Linux: there the event loop can do the work of requests (src/bridge/event_loop.rs). Other runtimes
 * call themselves `node` as well, and what they have of its event loop is an imitation.
 */
function mayDrive () {
  const others = ['bun', 'deno', 'electron', 'nw']
  return process.platform === 'linux' && process.release?.name === 'node' && !others.some(name => name in process.versions)
}

module.exports = { mayDrive, packageFor, suffixes, supported }
