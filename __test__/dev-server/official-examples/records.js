'use strict'

// Examples with one record at a time.

const assert = require('node:assert/strict')

/** @typedef {import('./main').Example} Example */

/** @type {Record<string, Example>} */
module.exports = {
  async 'put and get' ({ client, key }) {
    const bins = { whole: 7, fraction: 0.5, text: 'tea', bytes: Buffer.from([0, 255]), yes: true, list: [1, 'two', [3]], map: { a: { b: null } } }
    await client.put(key('a'), bins)
    const record = await client.get(key('a'))
    assert.deepEqual(record.bins, bins)
    assert.equal(record.gen, 1)
    // A second put adds bins to the record. null removes one.
    await client.put(key('a'), { more: 1, text: null })
    const { text, ...rest } = bins
    assert.deepEqual((await client.get(key('a'))).bins, { ...rest, more: 1 })
  },

  async select ({ client, aerospike, key }) {
    await client.put(key('a'), { one: 1, two: 2, three: 3 })
    assert.deepEqual((await client.select(key('a'), ['one', 'three', 'none'])).bins, { one: 1, three: 3 })
    await assert.rejects(client.select(key('none'), ['one']), { code: aerospike.status.ERR_RECORD_NOT_FOUND })
  },

  async exists ({ client, key }) {
    assert.equal(await client.exists(key('a')), false)
    await client.put(key('a'), { n: 1 })
    assert.equal(await client.exists(key('a')), true)
  },

  async touch ({ client, aerospike, key }) {
    await client.put(key('a'), { n: 1 }, { ttl: 100 })
    await client.operate(key('a'), [aerospike.operations.touch(1_000)])
    const { ttl, gen } = await client.get(key('a'))
    assert.ok(ttl > 990 && ttl <= 1_000, `TTL ${ttl}`)
    assert.equal(gen, 2)
    await assert.rejects(client.operate(key('none'), [aerospike.operations.touch(10)]), { code: aerospike.status.ERR_RECORD_NOT_FOUND })
  },

  async 'operate in order' ({ client, aerospike, key }) {
    const { operations: op } = aerospike
    await client.put(key('a'), { n: 1, text: 'b' })
    const { bins, gen } = await client.operate(key('a'), [op.incr('n', 4), op.read('n'), op.append('text', 'c'), op.prepend('text', 'a'), op.read('text'), op.write('new', [1])])
    assert.deepEqual(bins, { n: 5, text: 'abc' })
    assert.equal(gen, 2)
    await client.operate(key('a'), [op.delete()])
    assert.equal(await client.exists(key('a')), false)
  },

  async 'append prepend and increment' ({ client, aerospike, key }) {
    await client.put(key('a'), { text: 'b', n: 1, fraction: 0.5 })
    await client.append(key('a'), { text: 'c', fresh: 'x' })
    await client.prepend(key('a'), { text: 'a' })
    await client.incr(key('a'), { n: -3, fraction: 0.25, born: 9 })
    assert.deepEqual((await client.get(key('a'))).bins, { text: 'abc', fresh: 'x', n: -2, fraction: 0.75, born: 9 })
    await assert.rejects(client.incr(key('a'), { text: 1 }), { code: aerospike.status.ERR_BIN_INCOMPATIBLE_TYPE })
    await assert.rejects(client.append(key('a'), { n: 'x' }), { code: aerospike.status.ERR_BIN_INCOMPATIBLE_TYPE })
  },

  async remove ({ client, aerospike, key }) {
    await client.put(key('a'), { n: 1 })
    await client.remove(key('a'))
    await assert.rejects(client.get(key('a')), { code: aerospike.status.ERR_RECORD_NOT_FOUND })
    await assert.rejects(client.remove(key('a')), { code: aerospike.status.ERR_RECORD_NOT_FOUND })
  },

  async 'generation policies' ({ client, aerospike, key }) {
    const { gen: policy } = aerospike.policy
    await client.put(key('a'), { n: 1 })
    await client.put(key('a'), { n: 2 }, { gen: 1 }, { gen: policy.EQ })
    const stale = { code: aerospike.status.ERR_RECORD_GENERATION }
    await assert.rejects(client.put(key('a'), { n: 3 }, { gen: 1 }, { gen: policy.EQ }), stale)
    await assert.rejects(client.put(key('a'), { n: 3 }, { gen: 2 }, { gen: policy.GT }), stale)
    await client.put(key('a'), { n: 4 }, { gen: 9 }, { gen: policy.GT })
    await assert.rejects(client.remove(key('a'), { gen: policy.EQ, generation: 1 }), stale)
    const { bins, gen } = await client.get(key('a'))
    assert.deepEqual([bins.n, gen], [4, 3])
  },

  async 'existence policies' ({ client, aerospike, key }) {
    const { exists } = aerospike.policy
    const put = (bins, policy) => client.put(key('a'), bins, {}, { exists: policy })
    await assert.rejects(put({ n: 1 }, exists.UPDATE), { code: aerospike.status.ERR_RECORD_NOT_FOUND })
    await put({ n: 1, m: 1 }, exists.CREATE)
    await assert.rejects(put({ n: 2 }, exists.CREATE), { code: aerospike.status.ERR_RECORD_EXISTS })
    await put({ n: 2 }, exists.UPDATE)
    assert.deepEqual((await client.get(key('a'))).bins, { n: 2, m: 1 })
    await put({ n: 3 }, exists.REPLACE)
    assert.deepEqual((await client.get(key('a'))).bins, { n: 3 })
  },

  async 'user keys' ({ client, aerospike, set, key, collect }) {
    await client.put(key('kept'), { n: 1 }, {}, { key: aerospike.policy.key.SEND })
    await client.put(key('left out'), { n: 2 })
    const rows = await collect(client.scan('test', set))
    assert.deepEqual(Object.fromEntries(rows.map(({ key, bins }) => [bins.n, key.key ?? null])), { 1: 'kept', 2: null })
  },

  async 'time to live' ({ client, aerospike, key }) {
    const { NEVER_EXPIRE, DONT_UPDATE, NAMESPACE_DEFAULT } = aerospike.ttl
    const ttlAfter = async (ttl) => {
      await client.put(key('a'), { n: 1 }, { ttl })
      return (await client.get(key('a'))).ttl
    }
    const about = (ttl, expected) => assert.ok(ttl > expected - 10 && ttl <= expected, `TTL ${ttl}, not ${expected}`)
    about(await ttlAfter(500), 500)
    about(await ttlAfter(DONT_UPDATE), 500)
    assert.equal(await ttlAfter(NEVER_EXPIRE), NEVER_EXPIRE)
    assert.equal(await ttlAfter(NAMESPACE_DEFAULT), NEVER_EXPIRE)
    await assert.rejects(ttlAfter(10 * 365 * 24 * 3600 + 1), { code: aerospike.status.ERR_REQUEST_INVALID })
  },

  async 'a namespace without time to live' ({ client, aerospike, set, namespaces }) {
    if (!namespaces.includes('nottl')) return
    const key = new aerospike.Key('nottl', set, 'a')
    await assert.rejects(client.put(key, { n: 1 }, { ttl: 100 }), { code: aerospike.status.ERR_FAIL_FORBIDDEN })
    await client.put(key, { n: 1 })
    await assert.rejects(client.operate(key, [aerospike.operations.touch(100)]), { code: aerospike.status.ERR_FAIL_FORBIDDEN })
    await client.put(key, { n: 2 }, { ttl: aerospike.ttl.NEVER_EXPIRE })
    assert.deepEqual((await client.get(key)).bins, { n: 2 })
    await client.remove(key)
  },

  async 'filter expressions' ({ client, aerospike, key }) {
    const { exp } = aerospike
    await client.put(key('a'), { n: 5, text: 'tea', map: { size: 2 } })
    const get = filterExpression => client.get(key('a'), { filterExpression })
    const filteredOut = { code: aerospike.status.FILTERED_OUT }
    assert.equal((await get(exp.gt(exp.binInt('n'), exp.int(4)))).bins.n, 5)
    await assert.rejects(get(exp.gt(exp.binInt('n'), exp.int(5))), filteredOut)
    await get(exp.and(exp.eq(exp.binStr('text'), exp.str('tea')), exp.not(exp.binExists('none'))))
    await get(exp.eq(exp.maps.getByKey(exp.binMap('map'), exp.str('size'), exp.type.INT, aerospike.maps.returnType.VALUE), exp.int(2)))
    await assert.rejects(client.remove(key('a'), { filterExpression: exp.lt(exp.binInt('n'), exp.int(0)) }), filteredOut)
    assert.equal(await client.exists(key('a')), true)
  }
}
