// A site with better-auth, whose sessions are in Aerospike. __test__/cache/better-auth.test.js copies it into the folder of the test's packages and
// runs it there. Its users are in memory, and in a file while the site is stopped.

import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { toNodeHandler } from 'better-auth/node'

const { TEST_PACKAGE, TEST_HOSTS, TEST_SET, TEST_USERS, TEST_OPTIONS = '{}' } = process.env
const require = createRequire(TEST_PACKAGE)
const { SessionStore } = require('./index.js')
const { secondaryStorage } = require('./exports/better-auth.js')

const asDate = (key, value) => /At$/.test(key) && typeof value === 'string' ? new Date(value) : value
const db = fs.existsSync(TEST_USERS) ? JSON.parse(fs.readFileSync(TEST_USERS, 'utf8'), asDate) : { user: [], session: [], account: [], verification: [] }
const client = new SessionStore({ hosts: TEST_HOSTS, ...JSON.parse(TEST_OPTIONS) })

const auth = betterAuth({
  baseURL: 'http://localhost:3000',
  secret: 'a secret for tests only, which everyone can read',
  logger: { disabled: true },
  telemetry: { enabled: false },
  database: memoryAdapter(db),
  secondaryStorage: secondaryStorage({ client, set: TEST_SET }),
  rateLimit: { enabled: true, storage: 'secondary-storage', window: 60, max: 1_000 },
  advanced: { ipAddress: { ipAddressHeaders: ['x-forwarded-for'] } },
  emailAndPassword: {
    enabled: true,
    sendResetPassword: async ({ token }) => console.log(`reset ${token}`)
  }
})

const server = http.createServer(toNodeHandler(auth)).listen(0, '127.0.0.1', () => {
  console.log(`Listening on ${server.address().port}`)
})

process.once('SIGTERM', async () => {
  server.close()
  server.closeAllConnections()
  fs.writeFileSync(TEST_USERS, JSON.stringify(db))
  await client.close()
})
