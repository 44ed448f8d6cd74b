'use strict'

// No file imports itself through others, neither in JavaScript nor in Rust.

const fs = require('node:fs')
const path = require('node:path')
const { cycles, javascriptImports, rustImports } = require('./cycles')

const ROOT = path.join(__dirname, '../..')
const FOLDERS = ['src', 'devserver/src', 'devserver/differential', 'lib', 'bin', 'exports', 'bench', 'scripts', '__test__/torture', '__test__/support']

function repository () {
  const files = new Map([['index.js', fs.readFileSync(path.join(ROOT, 'index.js'), 'utf8')]])
  for (const folder of FOLDERS) {
    for (const name of fs.readdirSync(path.join(ROOT, folder), { recursive: true })) {
      const file = path.posix.join(folder, name.replaceAll(path.sep, '/'))
      if (!/\.(m?js|rs)$/.test(file) || file.startsWith('lib/binding/')) continue
      files.set(file, fs.readFileSync(path.join(ROOT, file), 'utf8'))
    }
  }
  return files
}

const files = repository()
const GRAPHS = {
  JavaScript: files => javascriptImports(files),
  'the Rust core': files => rustImports(files, 'src'),
  'the development server': files => rustImports(files, 'devserver/src')
}

test.each(Object.entries(GRAPHS))('%s has no import cycle', (_name, imports) => {
  expect(cycles(imports(files))).toStrictEqual([])
})

test('finds the imports of the repository', () => {
  expect([...javascriptImports(files).get('lib/connection.js')]).toEqual(expect.arrayContaining(['lib/bridge/hub.js', 'lib/errors.js']))
  // Re-exported by src/cluster/mod.rs.
  expect([...rustImports(files, 'src').get('src/store/upsert.rs')]).toEqual(expect.arrayContaining(['src/cluster/command.rs', 'src/store/sessions.rs']))
  for (const imports of Object.values(GRAPHS)) expect([...imports(files).values()].reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(100)
})

const rust = (...modules) => new Map(modules.map(([file, text]) => [`src/${file}`, text]))

test.each([
  ['two files', rust(['a.rs', 'use crate::b::B;'], ['b.rs', 'fn f() { crate::a::g() }'], ['lib.rs', 'mod a; mod b;']), [['src/a.rs', 'src/b.rs']]],
  ['three files, by groups and by other names',
    rust(['a.rs', 'use crate::{b::{self, B}, d::D};'], ['b.rs', 'use super::c as e;'], ['c.rs', 'use super::a::{A as B, f};'], ['d.rs', ''], ['lib.rs', '']),
    [['src/a.rs', 'src/b.rs', 'src/c.rs']]],
  ['a re-export', rust(['a/mod.rs', 'mod x; pub use x::X;'], ['a/x.rs', 'use crate::b::B;'], ['b.rs', 'use crate::a::X;']), [['src/a/x.rs', 'src/b.rs']]],
  ['a type in a mod.rs', rust(['a/mod.rs', 'mod x; use x::X; pub struct Y(X);'], ['a/x.rs', 'use super::Y;']), [['src/a/mod.rs', 'src/a/x.rs']]],
  ['a module that was imported', rust(['a.rs', 'use crate::b;\nfn f() { b::g() }'], ['b.rs', 'fn g() { super::a::f() }']), [['src/a.rs', 'src/b.rs']]]
])('finds a cycle in Rust: %s', (_name, files, expected) => {
  expect(cycles(rustImports(files, 'src'))).toStrictEqual(expected)
})

test.each([
  ['what tests import', rust(['a.rs', 'use crate::b::B;'], ['b.rs', '#[cfg(test)]\n#[allow(clippy::unwrap_used)]\nmod tests {\n  use crate::a::A;\n}'])],
  ['comments and texts', rust(['a.rs', 'use crate::b::B;'], ['b.rs', '// crate::a::A\n//! [`crate::a`]\nconst A: &str = "crate::a::A";'])],
  ['a mod.rs that only re-exports', rust(['a/mod.rs', 'mod x; mod y; pub use x::X; pub use y::Y;'], ['a/x.rs', 'use super::Y;'], ['a/y.rs', ''])],
  ['other crates', rust(['a.rs', 'use b::B;'], ['c/b.rs', 'use crate::a::A;'])]
])('reports no cycle in Rust without one: %s', (_name, files) => {
  expect(cycles(rustImports(files, 'src'))).toStrictEqual([])
})

test.each([
  ['require', [['a.js', "const b = require('./b')"], ['b.js', "require('./c/')"], ['c/index.js', "const a = require('../a')"]], [['a.js', 'b.js', 'c/index.js']]],
  ['import', [['a.mjs', "import { b } from './b.mjs'"], ['b.mjs', "export const a = () => import('./a.mjs')"]], [['a.mjs', 'b.mjs']]]
])('finds a cycle in JavaScript: %s', (_name, files, expected) => {
  expect(cycles(javascriptImports(new Map(files)))).toStrictEqual(expected)
})

test.each(['lib/bridge/hub.js', 'src/cluster/command.rs'])('finds a cycle that is added to %s', file => {
  const newImport = file.endsWith('.js') ? "const connection = require('../connection')" : 'use crate::store::Store;'
  const texts = new Map([...files, [file, `${newImport}\n${files.get(file)}`]])
  expect(cycles((file.endsWith('.js') ? javascriptImports : GRAPHS['the Rust core'])(texts)).flat()).toContain(file)
})
