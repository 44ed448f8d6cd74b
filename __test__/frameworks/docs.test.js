'use strict'

// docs/frameworks.md shows what the examples do, and its own example does what they do.

const fs = require('node:fs')
const path = require('node:path')
const { testExample } = require('../support/site')

const ROOT = path.join(__dirname, '../..')
const page = fs.readFileSync(path.join(ROOT, 'docs/frameworks.md'), 'utf8')
const blocks = [...page.matchAll(/^```js\n\/\/ (\S+)\n([^]*?)^```$/gm)].map(([, name, code]) => [name, code])

test.each(blocks.filter(([name]) => name.startsWith('examples/')))('the code of %s is in that file', (name, code) => {
  expect(fs.readFileSync(path.join(ROOT, name), 'utf8')).toContain(code)
})

test('every example is on the page', () => {
  const folders = fs.readdirSync(path.join(ROOT, 'examples'), { withFileTypes: true }).filter(entry => entry.isDirectory())
  const names = blocks.map(([name]) => name.split('/')[1])
  for (const { name } of folders) if (name !== 'express') expect(names).toContain(name)
})

const [, code] = blocks.find(([name]) => name === 'app.js')
// Within the package, so that it finds the package by its name.
const folder = path.join(ROOT, '.cache/frameworks')
fs.mkdirSync(folder, { recursive: true })
fs.writeFileSync(path.join(folder, 'app.js'), `${code}process.once('SIGTERM', () => process.exit(0))\n`)
testExample('.cache/frameworks/app.js')
