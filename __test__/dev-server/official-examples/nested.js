'use strict'

// Examples of operations inside maps and lists.

const assert = require('node:assert/strict')

/** @type {Record<string, import('./main').Example>} */
module.exports = {
  async maps ({ client, aerospike, key }) {
    const { maps, status } = aerospike
    const { returnType: want } = maps
    const run = async (...operations) => (await client.operate(key('a'), operations)).bins.map
    await client.put(key('a'), { map: { c: 3, a: 1 } })
    assert.equal(await run(maps.put('map', 'b', 2)), 3)
    assert.equal(await run(maps.putItems('map', { d: 4, e: [5] })), 5)
    assert.equal(await run(maps.increment('map', 'a', 10)), 11)
    assert.equal(await run(maps.getByKey('map', 'b', want.VALUE)), 2)
    assert.equal(await run(maps.getByKey('map', 'none', want.VALUE)), null)
    assert.deepEqual(await run(maps.getByKeyRange('map', 'b', 'd', want.KEY)), ['b', 'c'])
    assert.deepEqual(await run(maps.getByIndexRange('map', -2, 2, want.KEY)), ['d', 'e'])
    assert.equal(await run(maps.getByRank('map', 0, want.VALUE)), 2)
    assert.deepEqual(await run(maps.getByValue('map', 3, want.KEY)), ['c'])
    assert.equal(await run(maps.removeByKey('map', 'c', want.VALUE)), 3)
    assert.equal(await run(maps.removeByKeyList('map', ['a', 'none'], want.COUNT)), 1)
    assert.equal(await run(maps.size('map')), 3)
    await assert.rejects(run(maps.increment('map', 'e', 1)), { code: status.ERR_REQUEST_INVALID })
    const createOnly = new aerospike.MapPolicy({ order: maps.order.UNORDERED, writeFlags: maps.writeFlags.CREATE_ONLY })
    await assert.rejects(run(maps.put('map', 'b', 0, createOnly)), { code: status.ERR_FAIL_ELEMENT_EXISTS })
    await client.operate(key('a'), [maps.clear('map')])
    assert.deepEqual((await client.get(key('a'))).bins, { map: {} })
  },

  async lists ({ client, aerospike, key }) {
    const { lists, status } = aerospike
    const { returnType: want } = lists
    const run = async (...operations) => (await client.operate(key('a'), operations)).bins.list
    await client.put(key('a'), { list: [3, 1] })
    assert.equal(await run(lists.append('list', 2)), 3)
    assert.equal(await run(lists.appendItems('list', [5, 4])), 5)
    assert.equal(await run(lists.insert('list', 0, 9)), 6)
    assert.equal(await run(lists.get('list', -1)), 4)
    assert.deepEqual(await run(lists.getRange('list', 1, 2)), [3, 1])
    assert.equal(await run(lists.getByRank('list', -1, want.VALUE)), 9)
    assert.deepEqual(await run(lists.getByValueList('list', [1, 7], want.INDEX)), [2])
    assert.equal(await run(lists.pop('list', 0)), 9)
    assert.equal(await run(lists.increment('list', 0, 7)), 10)
    await run(lists.set('list', 0, 0))
    await run(lists.sort('list', lists.sortFlags.DEFAULT))
    assert.deepEqual((await client.get(key('a'))).bins.list, [0, 1, 2, 4, 5])
    assert.equal(await run(lists.removeByValue('list', 4, want.COUNT)), 1)
    assert.equal(await run(lists.trim('list', 1, 2)), 2)
    assert.equal(await run(lists.size('list')), 2)
    await assert.rejects(run(lists.get('list', 9)), { code: status.ERR_OP_NOT_APPLICABLE })
    await run(lists.clear('list'))
    assert.deepEqual((await client.get(key('a'))).bins, { list: [] })
  },

  async 'nested contexts' ({ client, aerospike, key }) {
    const { lists, maps, cdt: { Context } } = aerospike
    await client.put(key('a'), { cart: { items: [{ name: 'tea', n: 1 }, { name: 'pot', n: 2 }] } })
    const second = new Context().addMapKey('items').addListIndex(1)
    const { bins } = await client.operate(key('a'), [maps.increment('cart', 'n', 5).withContext(second)])
    assert.equal(bins.cart, 7)
    await client.operate(key('a'), [lists.append('cart', { name: 'cup' }).withContext(new Context().addMapKey('items'))])
    const last = new Context().addMapKey('items').addListIndex(-1)
    const read = await client.operate(key('a'), [maps.getByKey('cart', 'name', maps.returnType.VALUE).withContext(last)])
    assert.equal(read.bins.cart, 'cup')
    const nowhere = new Context().addMapKey('none').addListIndex(0)
    await assert.rejects(client.operate(key('a'), [maps.put('cart', 'x', 1).withContext(nowhere)]))
    assert.deepEqual((await client.get(key('a'))).bins.cart, { items: [{ name: 'tea', n: 1 }, { name: 'pot', n: 7 }, { name: 'cup' }] })
  }
}
