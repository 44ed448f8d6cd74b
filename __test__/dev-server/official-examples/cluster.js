'use strict'

// Examples about the cluster.

const assert = require('node:assert/strict')

/** @type {Record<string, import('./main').Example>} */
module.exports = {
  async 'connect and close' ({ aerospike, hosts }) {
    const client = await aerospike.connect({ hosts })
    assert.equal(client.isConnected(), true)
    assert.equal(client.getNodes().length > 0, true)
    client.close(false)
    assert.equal(client.isConnected(), false)
    await assert.rejects(aerospike.connect({ hosts: '127.0.0.1:1', connTimeoutMs: 500, log: { level: aerospike.log.OFF } }))
  },

  async info ({ client, aerospike, namespaces }) {
    const [node] = client.getNodes()
    assert.equal((await client.infoNode('node', node)).trim(), `node\t${node.name}`)
    const all = await client.infoAll('build\nedition')
    assert.equal(all.length, client.getNodes().length)
    for (const { info } of all) assert.match(info, /^build\t8\.\d+\.\d+\.\d+\S*\nedition\tAerospike \w+ Edition\n/)
    assert.ok(namespaces.includes('test'))
    const fields = Object.fromEntries((await client.infoAny('namespace/test')).split('\t')[1].trim().split(';').map(pair => pair.split('=')))
    for (const name of ['objects', 'expired_objects', 'stop_writes', 'data_used_bytes', 'nsup-period', 'default-ttl', 'replication-factor']) {
      assert.ok(name in fields, name)
    }
    await assert.rejects(client.infoAny('no-such-command'), { code: aerospike.status.ERR_REQUEST_INVALID, message: /unrecognized command/ })
  },

  async truncate ({ client, set, key, collect }) {
    await client.put(key('a'), { n: 1 })
    await client.put(key('b'), { n: 2 })
    // A truncation does not affect records that were written in the same millisecond.
    await new Promise(resolve => setTimeout(resolve, 5))
    await client.truncate('test', set, 0)
    for (let left = 1; left > 0;) left = (await collect(client.scan('test', set))).length
    assert.equal(await client.exists(key('a')), false)
    await client.put(key('a'), { n: 3 })
    assert.deepEqual((await client.get(key('a'))).bins, { n: 3 })
  }
}
