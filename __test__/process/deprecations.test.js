'use strict'

// The preload of the suite on other versions of Node.js (scripts/runtimes.js): the package's own use of deprecated features is an
// error, and that of dependencies is not.

const fs = require('node:fs/promises')
const os = require('node:os')
const path = require('node:path')
const { RUNTIMES, environment } = require('../../scripts/runtimes')
const { ended, launch } = require('../support/cli')

const USE = "process.emitWarning('old', 'DeprecationWarning', 'DEP0000'); setTimeout(() => console.log('went on'), 20)"

test.each([
  ['by this package', 'index.js', 1, ''],
  ['by the installed package', 'node_modules/aerospike-session/index.js', 1, ''],
  ['by dependencies', 'node_modules/other/index.js', 0, 'went on\n']
])('the use of a deprecated feature, %s', async (_, file, code, out) => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'aerospike-session-'))
  try {
    await fs.mkdir(path.dirname(path.join(folder, file)), { recursive: true })
    await fs.writeFile(path.join(folder, file), USE)
    const { NODE_OPTIONS } = environment(RUNTIMES[0], process.execPath)
    const result = await ended(launch(process.execPath, [path.join(folder, file)], { env: { NODE_OPTIONS } }))
    expect(result).toEqual({ code, out, err: code === 0 ? '' : expect.stringContaining('DeprecationWarning: old') })
  } finally {
    await fs.rm(folder, { recursive: true })
  }
})
