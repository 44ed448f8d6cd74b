'use strict'

// docs/architecture.md names every module, and none that is gone.

const fs = require('node:fs')
const path = require('node:path')
const { ROOT, rowsUnder, textOf } = require('./support/pages')

test.each(['lib', 'src/bridge', 'src/store', 'src/codec', 'src/cluster'])('every module of %s is in its table, and no other', folder => {
  const rows = rowsUnder('docs/architecture.md', `\`${folder}/\``)
  const named = rows.flatMap(([cell]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name))
  const there = fs.readdirSync(path.join(ROOT, folder)).filter(name => /\.(js|rs)$/.test(name) && name !== 'mod.rs')
  expect([...named].sort()).toStrictEqual(there.sort())
})

test('every file it speaks of is there', () => {
  const files = [...textOf('docs/architecture.md').matchAll(/\b((?:lib|src)\/[\w/-]+\.(?:js|rs))\b/g)].map(([, file]) => file)
  expect(files.length).toBeGreaterThan(5)
  expect(files.filter(file => !fs.existsSync(path.join(ROOT, file)))).toStrictEqual([])
})
