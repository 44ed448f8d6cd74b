'use strict'

// Takes the place of the package depd, and warns of nothing. See jest.bun.config.js.

module.exports = function depd () {
  return Object.assign(() => {}, { function: fn => fn, property: () => {} })
}
