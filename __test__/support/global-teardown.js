'use strict'

module.exports = async function teardown () {
  await globalThis.devServer?.stop()
}
