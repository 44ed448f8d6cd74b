'use strict'

const { testExample } = require('../support/site')

testExample('examples/fastify/app.js')
