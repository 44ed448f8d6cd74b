'use strict'

const { testExample } = require('../support/site')

testExample('examples/react-router/app.js')
