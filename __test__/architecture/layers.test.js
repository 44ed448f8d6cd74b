'use strict'

// Checks the layers: lower layers do not depend on higher ones, and the package depends only on Node.js and itself.

const fs = require('node:fs')
const path = require('node:path')
const { RULES, violations } = require('./rules')

const ROOT = path.join(__dirname, '../..')

/** The files of the repository that the rules check. */
function repository () {
  const files = new Map()
  const add = file => files.set(file, fs.readFileSync(path.join(ROOT, file), 'utf8'))
  const visit = folder => {
    for (const entry of fs.readdirSync(path.join(ROOT, folder), { withFileTypes: true })) {
      const file = path.posix.join(folder, entry.name)
      if (file === 'lib/binding') continue // generated
      if (entry.isDirectory()) visit(file)
      else if (/\.(rs|m?js)$/.test(file)) add(file)
    }
  }
  for (const folder of ['src', 'devserver/src', 'lib', 'bin', 'exports']) visit(folder)
  for (const file of fs.readdirSync(ROOT)) if (/\.m?js$/.test(file)) add(file)
  add('devserver/Cargo.toml')
  add('package.json')
  return files
}

const files = repository()

test('no file of the repository breaks a rule', () => {
  expect(violations(files)).toStrictEqual([])
})

test('every rule applies to a file', () => {
  for (const [rule, { about }] of Object.entries(RULES)) {
    expect([rule, [...files.keys()].some(file => about.test(file))]).toStrictEqual([rule, true])
  }
})

const CORE = 'the core below the bridge knows nothing of napi'
const BRIDGE = 'the bridge is on top: no layer names it'
const CACHE = 'the cache knows of the store only expiry and encryption'
const CODEC = 'the codec knows neither store nor cluster'
const CLUSTER = 'the cluster knows no layer above it'
const LIMITS = 'rate limits know neither store, cache nor codec'
const ERRORS = 'errors know no layer'
const DOOR = 'the bridge reaches Aerospike through the layers below'
const DEV = 'the dev server is known to the bridge alone'
const ALONE = 'the dev server knows neither the addon nor the client'
const CRATES = 'the dev server is built without the addon and the client'
const UNSAFE = 'unsafe code is in the bridge alone'
const NATIVE = 'one file finds the native binding'
const ITSELF = 'the package needs node:, itself and its optional peers'

/** Violations of each rule, one for each of its checks. */
const VIOLATIONS = [
  [CORE, 'src/store/mod.rs', 'use napi::bindgen_prelude::*;', 'names napi'],
  [CORE, 'src/codec/mod.rs', '#[napi]\npub fn f() {}', 'names napi'],
  [CORE, 'src/cluster/mod.rs', 'use napi_derive::napi;', 'names napi'],
  [BRIDGE, 'src/store/mod.rs', 'use crate::bridge::hub;', 'names bridge'],
  [CACHE, 'src/cache/entry.rs', 'use crate::store::layout::Layout;', 'names store'],
  [CACHE, 'src/cache/entry.rs', 'use crate::store::{expiry, layout};', 'names store'],
  [CODEC, 'src/codec/mod.rs', 'use crate::store::Record;', 'names store'],
  [CODEC, 'src/codec/deep/mod.rs', 'use super::super::cluster::Node;', 'names cluster'],
  [CODEC, 'src/codec/mod.rs', 'use crate::{\n    error::Error,\n    store::Record,\n};', 'names store'],
  [LIMITS, 'src/rate_limits/mod.rs', 'use crate::store::Shared;', 'names store'],
  [CLUSTER, 'src/cluster/mod.rs', 'use crate::rate_limits::Rule;', 'names rate_limits'],
  [CLUSTER, 'src/cluster/mod.rs', 'fn f() -> crate::store::Record { todo!() }', 'names store'],
  [CLUSTER, 'src/cluster/mod.rs', 'use crate::codec;', 'names codec'],
  [ERRORS, 'src/error.rs', 'use crate::cluster::Node;', 'names cluster'],
  [DOOR, 'src/bridge/entry.rs', 'use aerospike::Client;', 'names the crate aerospike'],
  [DEV, 'src/store/mod.rs', 'use aerospike_session_devserver::Server;', 'names the dev server'],
  [ALONE, 'devserver/src/lib.rs', 'use aerospike_session::store;', 'names the addon'],
  [ALONE, 'devserver/src/lib.rs', 'use aerospike::Value;', 'names the crate aerospike'],
  [ALONE, 'devserver/src/lib.rs', 'use napi::Env;', 'names napi'],
  [CRATES, 'devserver/Cargo.toml', '[dependencies]\naerospike-session = { path = ".." }', 'depends on aerospike-session'],
  [CRATES, 'devserver/Cargo.toml', '[dependencies]\naddon = { package = "aerospike-session", path = ".." }', 'depends on aerospike-session'],
  [CRATES, 'devserver/Cargo.toml', '[dependencies]\naerospike.workspace = true', 'depends on aerospike'],
  [CRATES, 'devserver/Cargo.toml', '[dependencies.napi]\nversion = "3"', 'depends on napi'],
  [UNSAFE, 'src/store/mod.rs', 'fn f() { unsafe { g() } }', 'has unsafe code'],
  [UNSAFE, 'devserver/src/lib.rs', 'pub unsafe fn f() {}', 'has unsafe code'],
  [NATIVE, 'lib/bridge/hub.js', "const native = require('./binding/native.js')", 'loads the native binding'],
  [NATIVE, 'index.js', "module.exports = require('./lib/binding/native.js')", 'loads the native binding'],
  [NATIVE, 'lib/doctor/reach.js', "process.dlopen(module, 'some.node')", 'loads the native binding'],
  [ITSELF, 'lib/bridge/hub.js', "const debug = require('debug')", 'requires debug'],
  [ITSELF, 'lib/bridge/hub.js', "const fs = require('fs')", 'requires fs without node:'],
  [ITSELF, 'lib/bridge/hub.js', "const { pack } = require('../../scripts/pack')", 'requires ../../scripts/pack, which is not in the package'],
  [ITSELF, 'lib/cli/check.js', "const { x } = require('../../__test__/support/server')", 'requires ../../__test__/support/server, which is not in the package'],
  [ITSELF, 'lib/bridge/hub.js', 'module.exports = name => require(name)', 'requires (name)'],
  [ITSELF, 'index.mjs', "import debug from 'debug'", 'requires debug'],
  [ITSELF, 'lib/bridge/hub.js', "module.exports = () => import('debug')", 'requires debug']
]

test.each(VIOLATIONS)('%s: rejects that %s contains %j', (rule, file, text, what) => {
  expect(violations(new Map([...files, [file, text]]))).toContain(`${file}: ${what} (${rule})`)
})

test('every rule has a violation that it rejects', () => {
  expect([...new Set(VIOLATIONS.map(([rule]) => rule))].sort()).toStrictEqual(Object.keys(RULES).sort())
})

test.each([
  ['src/store/mod.rs', '// napi lives in the bridge\nconst NAME: &str = "crate::bridge";'],
  ['src/cache/entry.rs', 'use crate::store::encryption::Keyring;\nuse crate::store::expiry::{self, now};'],
  ['src/codec/mod.rs', 'use super::map::store_value;'],
  ['src/codec/mod.rs', 'use crate::error::Error;\nfn store() {}'],
  ['devserver/Cargo.toml', '[dependencies]\ntokio = "1"\n\n[dev-dependencies]\naerospike = "3"\n'],
  ['lib/bridge/hub.js', "// require('debug') would be a dependency\nconst fs = require('node:fs')"],
  ['lib/cli/check.js', "const doctor = require('../bridge/hub')\nconst { version } = require('../../package.json')"],
  ['lib/stores/express-store.js', "require('express-session').Store"],
  ['bin/aerospike-session.js', 'const run = name => require(`../lib/cli/${name}`)'] // eslint-disable-line no-template-curly-in-string
])('accepts that %s contains %j', (file, text) => {
  expect(violations(new Map([...files, [file, text]]))).toStrictEqual([])
})
