'use strict'

// docs/architecture.md names every module, and only existing ones.

const fs = require('node:fs')
const path = require('node:path')
const { ROOT, rowsUnder, textOf } = require('../support/pages')

test.each(['lib', 'lib/bridge', 'lib/options', 'lib/stores', 'lib/rate-limit', 'lib/dev-server', 'src/bridge', 'src/store', 'src/rate_limits', 'src/codec', 'src/cluster'])('the table for %s lists every module, and no others', folder => {
  const rows = rowsUnder('docs/architecture.md', `\`${folder}/\``)
  const named = rows.flatMap(([cell]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name))
  const entries = fs.readdirSync(path.join(ROOT, folder), { withFileTypes: true })
  const folders = entries.filter(entry => entry.isDirectory() && entry.name !== 'binding').map(({ name }) => `${name}/`)
  const files = entries.map(({ name }) => name).filter(name => /\.(js|rs|d\.ts)$/.test(name) && name !== 'mod.rs')
  const there = [...files, ...folders]
  expect([...named].sort()).toStrictEqual(there.sort())
})

test('every file that it names exists', () => {
  const files = [...textOf('docs/architecture.md').matchAll(/\b((?:lib|src)\/[\w/-]+\.(?:js|rs))\b/g)].map(([, file]) => file)
  expect(files.length).toBeGreaterThan(5)
  expect(files.filter(file => !fs.existsSync(path.join(ROOT, file)))).toStrictEqual([])
})
