'use strict'

// Every example with NODE_ENV=production. docs.test.js has the example on docs/frameworks.md.

const fs = require('node:fs')
const path = require('node:path')
const { openProvider } = require('../support/openid-provider')
const { testProduction } = require('../support/site')

let provider
beforeAll(async () => { provider = await openProvider() })
afterAll(() => provider.close())

const EXAMPLES = {
  'chat-socket-io': {},
  'chat-ws': {},
  express: { request: (url, headers) => fetch(`${url}/login`, { method: 'POST', body: new URLSearchParams({ name: 'ada' }), headers, redirect: 'manual' }) },
  fastify: {},
  hono: { file: 'app.mjs' },
  koa: {},
  nestjs: {},
  'openid-connect': {
    env: () => ({ ...provider.env, BASE_URL: 'https://shop.example' }),
    request: (url, headers) => fetch(`${url}/login`, { headers, redirect: 'manual' })
  },
  passport: {},
  'react-router': {}
}

test('every example is tested in production', () => {
  const folders = fs.readdirSync(path.join(__dirname, '../../examples'), { withFileTypes: true }).filter(entry => entry.isDirectory())
  expect(Object.keys(EXAMPLES)).toStrictEqual(folders.map(({ name }) => name).sort())
})

for (const [folder, { file = 'app.js', ...options }] of Object.entries(EXAMPLES)) testProduction(`examples/${folder}/${file}`, options)
