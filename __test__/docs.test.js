'use strict'

// The examples of docs/testing.md, run as they are written there.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')

const root = path.dirname(__dirname)

/** Each block of JavaScript that begins with its file's name, as `[name, code]`. */
function examples (page) {
  const text = fs.readFileSync(path.join(root, 'docs', page), 'utf8')
  return [...text.matchAll(/^```js\n\/\/ (\S+)\n([^]*?)^```$/gm)].map(([, name, code]) => [name, code])
}

test('the examples of docs/testing.md pass', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-'))
  const files = examples('testing.md')
  expect(files.map(([name]) => name)).toStrictEqual(['app.js', 'app.test.js', 'cluster.test.js'])
  for (const [name, code] of files) fs.writeFileSync(path.join(folder, name), code)
  const config = {
    testEnvironment: 'node',
    moduleNameMapper: { '^aerospike-session(/dev-server)?$': `${root}$1` },
    modulePaths: [path.join(root, 'node_modules')]
  }
  const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js')
  const args = [jest, '--ci', '--runInBand', '--rootDir', folder, '--config', JSON.stringify(config)]
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', data => { said += data })
  const [code] = await once(child, 'close')
  fs.rmSync(folder, { recursive: true })
  expect({ code, said }).toMatchObject({ code: 0, said: expect.stringMatching(/Tests: +6 passed, 6 total/) })
  expect(said).not.toMatch(/did not exit|open handle/)
}, 120_000)

test('every command and fault of docs/testing.md is one', () => {
  const text = fs.readFileSync(path.join(root, 'docs/testing.md'), 'utf8')
  const { parseFault } = require('../lib/faults')
  const faults = [...text.matchAll(/(?:--fault|localhost:3000) '([^']+)'/g)].map(([, fault]) => parseFault(fault))
  expect(faults.map(({ kind }) => kind)).toStrictEqual(['latency', 'code', 'freeze'])
})
