'use strict'

const { testExample } = require('../support/site')

const PASSWORDS = { ada: 'lovelace', grace: 'hopper' }
const login = (browser, url, name) => browser.post(`${url}/login`, { username: name, password: PASSWORDS[name] })

testExample('examples/passport/app.js', { login })
