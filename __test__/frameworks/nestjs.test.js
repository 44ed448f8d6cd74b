'use strict'

// NestJS with express-session. express.test.js has the parallel requests.

const { testExample } = require('../support/site')

testExample('examples/nestjs/app.js')
