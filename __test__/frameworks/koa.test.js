'use strict'

const { testExample } = require('../support/site')

testExample('examples/koa/app.js')
