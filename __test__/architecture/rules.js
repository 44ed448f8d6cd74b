'use strict'

// The layers of the package, as rules for the text of its files. Each rule says which files it applies to and returns what is
// wrong with a file.

const path = require('node:path')
const { builtinModules } = require('node:module')

/** @typedef {{ manifest: any, has: (file: string) => boolean }} Package */
/** @typedef {{ about: RegExp, wrong: (code: string, file: string, context: Package) => string[] }} Rule */

/** Removes comments and strings from Rust code. */
const rust = text => text.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(/\/\/.*/g, '').replace(/\/\*[^]*?\*\//g, '')
/** Removes comments that take whole lines from JavaScript. Others stay, because `//` also occurs in strings. */
const javascript = text => text.replace(/\/\*[^]*?\*\//g, '').replace(/^\s*\/\/.*/gm, '')
/** Removes everything that only tests need from Cargo.toml. */
const cargo = text => text.replace(/^#.*/gm, '').replace(/^\[dev-dependencies\][^]*?(?=^\[|(?![^]))/gm, '')

const CLEANERS = { '.rs': rust, '.js': javascript, '.mjs': javascript, '.toml': cargo }

/** @returns {(code: string) => string[]} */
const never = (pattern, what) => code => pattern.test(code) ? [what] : []

/** Finds paths into these modules of the crate: `crate::store::…`, `super::store`, `crate::{a, store}`. */
const modules = (...names) => code => {
  return names.filter(name => new RegExp(`\\b(?:crate|super)::(?:\\{[^;]*?\\b)?${name}\\b`).test(code)).map(name => `names ${name}`)
}

/** Returns what a file requires or imports, as written; for a template, its beginning. */
function required (code) {
  const calls = code.matchAll(/\b(?:require|import)\(\s*(?:'([^']+)'|"([^"]+)"|`([^`$]+)|([^)]*))/g)
  const imports = code.matchAll(/^(?:import|export)\b[^'"]*?\bfrom\s+['"]([^'"]+)['"]/gm)
  const sides = code.matchAll(/^import\s+['"]([^'"]+)['"]/gm)
  return [
    ...[...calls].map(([, single, double, template, other]) => single ?? double ?? template ?? `(${other})`),
    ...[...imports, ...sides].map(([, name]) => name)
  ]
}

/** Turns a pattern of package.json's `files` into a regular expression. */
function glob (pattern) {
  const parts = { '**/': '(?:.+/)?', '*': '[^/]*', '.': '\\.' }
  return new RegExp(`^${pattern.replaceAll(/\*\*\/|\*|\./g, part => parts[part])}(?:/|$)`)
}

/** Returns true if npm includes a file in the package. */
function isPacked (file, { files }) {
  return file === 'package.json' || files.some(one => glob(one).test(file))
}

/** Returns the requires of a file in the package that are not allowed. */
function forbiddenRequires (code, file, { manifest, has }) {
  if (!isPacked(file, manifest)) return []
  return required(code).flatMap(name => {
    if (name.startsWith('node:')) return []
    if (/^\.\.?\//.test(name)) return isOwn(path.posix.join(path.posix.dirname(file), name)) ? [] : [`requires ${name}, which is not in the package`]
    if (builtinModules.includes(name)) return [`requires ${name} without node:`]
    return name in (manifest.peerDependencies ?? {}) ? [] : [`requires ${name}`]
  })

  function isOwn (target) {
    // The beginning of a template, or a generated file.
    if (target.endsWith('/')) return isPacked(`${target}any.js`, manifest)
    const found = [target, `${target}.js`, `${target}/index.js`].find(one => has(one))
    return isPacked(found ?? target, manifest)
  }
}

/** @type {Record<string, Rule>} */
const RULES = {
  'the core below the bridge knows nothing of napi': {
    about: /^src\/(store|rate_limits|cache|codec|cluster|error\.rs|id_hash\.rs)/,
    wrong: never(/\bnapi(_\w+)?\b/, 'names napi')
  },
  'the bridge is on top: no layer names it': {
    about: /^src\/(store|rate_limits|cache|codec|cluster|error\.rs|id_hash\.rs)/,
    wrong: modules('bridge')
  },
  'the cache knows of the store only expiry and encryption': {
    about: /^src\/cache\//,
    wrong: code => [...modules('codec', 'rate_limits')(code), ...modules('store')(code.replace(/\bcrate::store::(expiry|encryption)\b/g, ''))]
  },
  'the codec knows neither store nor cluster': { about: /^src\/codec\//, wrong: modules('store', 'cache', 'rate_limits', 'cluster') },
  'the cluster knows no layer above it': { about: /^src\/cluster\//, wrong: modules('store', 'cache', 'rate_limits', 'codec') },
  'rate limits know neither store, cache nor codec': { about: /^src\/rate_limits\//, wrong: modules('store', 'cache', 'codec') },
  'errors know no layer': { about: /^src\/error\.rs$/, wrong: modules('store', 'codec', 'cluster') },
  'the bridge reaches Aerospike through the layers below': {
    about: /^src\/bridge\//,
    wrong: never(/(?<!:)\baerospike::/, 'names the crate aerospike')
  },
  'the dev server is known to the bridge alone': {
    about: /^src\/(?!bridge\/)/,
    wrong: never(/\baerospike_session_devserver\b/, 'names the dev server')
  },
  'the dev server knows neither the addon nor the client': {
    about: /^devserver\/src\//,
    wrong: code => [
      ...never(/\baerospike_session\b/, 'names the addon')(code),
      ...never(/(?<!:)\baerospike(_core)?::/, 'names the crate aerospike')(code),
      ...never(/\bnapi(_\w+)?\b/, 'names napi')(code)
    ]
  },
  'the dev server is built without the addon and the client': {
    about: /^devserver\/Cargo\.toml$/,
    wrong: code => ['aerospike-session', 'aerospike', 'aerospike-core', 'napi', 'napi-derive'].flatMap(crate => {
      return never(new RegExp(`^${crate}\\s*[=.]|\\bpackage\\s*=\\s*"${crate}"|^\\[dependencies\\.${crate}\\]`, 'm'), `depends on ${crate}`)(code)
    })
  },
  'unsafe code is in the bridge alone': {
    about: /^(src|devserver\/src)\/(?!bridge\/).*\.rs$/,
    wrong: never(/\bunsafe\b\s*(\{|fn\b|impl\b|extern\b|trait\b)/, 'has unsafe code')
  },
  'one file finds the native binding': {
    about: /^(?!lib\/bridge\/native\.js$)(?:(?:lib|bin|exports)\/.*|[^/]+)\.m?js$/,
    wrong: never(/(?:require(?:\.resolve)?|import)\(\s*['"`][^'"`]*(binding\/|\.node\b)|\bdlopen\(/, 'loads the native binding')
  },
  'the package needs node:, itself and its optional peers': {
    about: /^(?:(?:lib|bin|exports)\/.*|[^/]+)\.m?js$/,
    wrong: forbiddenRequires
  }
}

/**
 * @param {Map<string, string>} files texts by their paths, with `/`
 * @returns {string[]} what breaks a rule: `file: what (the rule)`
 */
function violations (files) {
  const context = { manifest: JSON.parse(files.get('package.json')), has: file => files.has(file) }
  return [...files].flatMap(([file, text]) => {
    const clean = CLEANERS[path.extname(file)]
    if (clean === undefined) return []
    const code = clean(text)
    return Object.entries(RULES).flatMap(([rule, { about, wrong }]) => {
      return about.test(file) ? wrong(code, file, context).map(what => `${file}: ${what} (${rule})`) : []
    })
  })
}

module.exports = { RULES, javascript, required, rust, violations }
