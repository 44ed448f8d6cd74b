'use strict'

// The platforms with a binary: package.json's `napi.targets`, in the words of Node.js and of people.

const { napi } = require('../../package.json')

/** @type {Record<string, string>} */
const ARCHES = { x86_64: 'x64', aarch64: 'arm64' }
/** @type {Record<string, [platform: string, system: string]>} */
const SYSTEMS = { linux: ['linux', 'Linux'], darwin: ['darwin', 'macOS'], windows: ['win32', 'Windows'] }

/**
 * @param {string} target such as `x86_64-unknown-linux-gnu`
 * @returns {{ arch: string, system: string, suffix: string }} the suffix is what napi calls it: `linux-x64-gnu`
 */
function describe (target) {
  const [processor, , os, abi] = target.split('-')
  const arch = ARCHES[processor]
  const [platform, system] = SYSTEMS[os]
  return { arch, system, suffix: [platform, arch, abi].filter(part => part !== undefined).join('-') }
}

const platforms = napi.targets.map(describe)

/** What napi calls them, in the names of binaries and of the packages that hold them. @type {string[]} */
const suffixes = platforms.map((/** @type {{ suffix: string }} */ { suffix }) => suffix)

/**
 * The package that holds a platform's binary. Its scope belongs to the project, so nobody else can publish a package
 * of such a name.
 * @param {string} suffix
 */
const packageFor = suffix => `${napi.packageName}-${suffix}`

/** For people: `Linux (x64, arm64), macOS (…), …`. */
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
