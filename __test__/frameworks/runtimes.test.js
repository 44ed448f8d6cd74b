'use strict'

// Each runtime imports and requires every entry of the package, and runs its examples of docs/runtimes.md.

const fs = require('node:fs')
const path = require('node:path')
const { spawn } = require('node:child_process')
const { folderFor } = require('../support/pages')
const { ended } = require('../support/cli')
const { runtime } = require('../support/runtime')
const { freshSet, hosts, openStore } = require('../support/server')
const { Browser, openApp, PRODUCTION_SECRET } = require('../support/site')

const manifest = require('../../package.json')
const folder = folderFor('docs/runtimes.md')
afterAll(() => fs.rmSync(folder, { recursive: true }))

/** Runs a file in the folder of the page. */
function run (args) {
  return ended(spawn(process.execPath, args, { cwd: folder, env: { ...process.env, AEROSPIKE_HOSTS: hosts(), NO_COLOR: '1' } }))
}

const start = runtime === 'deno' ? ['run', '--allow-all'] : []
const entries = Object.keys(manifest.exports).filter(name => name !== './package.json').map(name => name.replace('.', manifest.name))

test.each(entries)('%s has the same names for import and for require, and none is undefined', async entry => {
  fs.writeFileSync(path.join(folder, 'names.mjs'), `
    import { createRequire } from 'node:module'
    import * as imported from '${entry}'
    const required = createRequire(import.meta.url)('${entry}')
    const named = Object.keys(required).sort()
    const values = named.map(name => [name, typeof imported[name], imported[name] === required[name]])
    console.log(JSON.stringify({ names: Object.keys(imported).filter(name => name !== 'module.exports').sort(), values }))`)
  const { code, out, err } = await run([...start, 'names.mjs'])
  expect({ code, err }).toStrictEqual({ code: 0, err: '' })
  const { names, values } = JSON.parse(out)
  expect(names).not.toStrictEqual([])
  expect(values).toStrictEqual(names.map(name => [name, 'function', true]))
})

const onBun = runtime === 'bun' ? test : test.skip
const onDeno = runtime === 'deno' ? test : test.skip

onBun('bun test runs a test with the dev server', async () => {
  const { code, err } = await run(['test', './counter.test.js'])
  expect({ code, err }).toStrictEqual({ code: 0, err: expect.stringMatching(/ 1 pass\n 0 fail\n/) })
})

/** Visits a site of the page three times, and once more after its process was started anew. */
async function visit (file) {
  const set = freshSet()
  openStore({ set }) // removes the sessions afterwards
  const browser = new Browser()
  const visits = []
  for (const times of [3, 1]) {
    const app = await openApp(path.join(folder, file), { SESSION_SECRET: PRODUCTION_SECRET, AEROSPIKE_SET: set })
    for (let n = 0; n < times; n++) visits.push((await browser.get(`${app.url}/`)).body.visits)
    await app.close()
  }
  expect(visits).toStrictEqual([1, 2, 3, 4])
}

onBun('Bun.serve serves a site with Hono', () => visit('bun-site.mjs'))
onDeno('Deno.serve serves a site with Hono', () => visit('deno-site.mjs'))
