'use strict'

const { testExample } = require('../support/site')

testExample('examples/nestjs/app.js')
