'use strict'

// NestJS with express-session; races are those of express.test.js.

const { testExample } = require('../support/site')

testExample('examples/nestjs/app.js')
