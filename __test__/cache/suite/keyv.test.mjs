// @keyv/test-suite, as its README says, with an adapter for each Keyv of the suite. __test__/cache/keyv-suite.test.js copies this file into
// the folder of the suite's packages and runs it there with vitest.

import { createRequire } from 'node:module'
import Keyv from 'keyv'
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite'
import * as test from 'vitest'

const { TEST_PACKAGE, TEST_SET, TEST_HOSTS, TEST_NAMESPACE, TEST_OPTIONS } = process.env
const require = createRequire(TEST_PACKAGE)
const { SessionStore } = require('./index.js')
const { KeyvAerospike } = require('./exports/keyv.js')

const client = new SessionStore({ hosts: TEST_HOSTS, namespace: TEST_NAMESPACE, ...JSON.parse(TEST_OPTIONS) })
client.on('warning', () => {})
const store = () => new KeyvAerospike({ client, set: TEST_SET })

keyvTestSuite(test, Keyv, store)
keyvIteratorTests(test, Keyv, store)

test.afterAll(() => client.close())
