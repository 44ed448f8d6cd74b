'use strict'

const { testExample } = require('../support/site')

testExample('examples/hono/app.mjs')
