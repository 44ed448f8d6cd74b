'use strict'

// Starts one dev server for the whole run, unless AEROSPIKE_HOSTS names a cluster. The workers inherit TEST_HOSTS.

module.exports = async function setup () {
  if (process.env.AEROSPIKE_HOSTS) {
    process.env.TEST_HOSTS = process.env.AEROSPIKE_HOSTS
    return
  }
  const { DevServer } = require('../../exports/dev-server')
  const server = await DevServer.start()
  globalThis.devServer = server
  process.env.TEST_HOSTS = server.hosts
}
