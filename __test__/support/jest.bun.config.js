'use strict'

// The configuration of jest on Bun. In jest's sandboxes, Bun gives a function set as Error.prepareStackTrace no call sites,
// which depd, a dependency of Express and express-session, requires when it is loaded. There it is replaced by one that warns of
// nothing. Outside of jest depd works, see `npm run test:runtime -- bun frameworks`, whose sites are processes of their own.

const path = require('node:path')

/** @type {import('jest').Config} */
module.exports = {
  ...require('../../jest.config'),
  rootDir: path.join(__dirname, '../..'),
  moduleNameMapper: { '^depd$': path.join(__dirname, 'depd.js') }
}
