'use strict'

// Examples with many records in one request.

const assert = require('node:assert/strict')

/** @typedef {import('./main').Tools} Tools */

/** @param {Tools} tools */
async function putMany ({ client, key }, count) {
  await Promise.all(Array.from({ length: count }, (_, n) => client.put(key(`k${n}`), { n, kind: n % 2 === 0 ? 'even' : 'odd' })))
}

/** Returns the records of one page, and where the next one starts. */
function page (stream) {
  return new Promise((resolve, reject) => {
    const rows = []
    stream.on('data', record => rows.push(record))
    stream.on('error', reject)
    stream.on('end', state => resolve({ rows, state }))
  })
}

/** Returns the numbers of the rows, in order. */
function numbers (rows) {
  return rows.map(({ bins }) => bins.n).sort((a, b) => a - b)
}

const range = (from, to) => Array.from({ length: to - from }, (_, n) => from + n)

/** @type {Record<string, import('./main').Example>} */
module.exports = {
  async 'batch reads' (tools) {
    const { client, aerospike: { status }, key } = tools
    await putMany(tools, 3)
    const rows = await client.batchRead([
      { key: key('k0'), readAllBins: true }, { key: key('k1'), bins: ['n'] }, { key: key('k2') }, { key: key('none'), readAllBins: true }
    ])
    assert.deepEqual(rows.map(({ status }) => status), [status.OK, status.OK, status.OK, status.ERR_RECORD_NOT_FOUND])
    assert.deepEqual(rows.slice(0, 3).map(({ record }) => record.bins), [{ n: 0, kind: 'even' }, { n: 1 }, {}])
    const found = await client.batchExists([key('k0'), key('none')])
    assert.deepEqual(found.map(({ status }) => status), [status.OK, status.ERR_RECORD_NOT_FOUND])
  },

  async 'a batch of mixed rows' (tools) {
    const { client, aerospike, key } = tools
    const { batchType, operations: op, status } = aerospike
    await putMany(tools, 3)
    const rows = await client.batchWrite([
      { type: batchType.BATCH_WRITE, key: key('new'), ops: [op.write('n', 100), op.read('n')] },
      { type: batchType.BATCH_WRITE, key: key('k0'), ops: [op.incr('n', 5), op.read('n')] },
      { type: batchType.BATCH_READ, key: key('k1'), readAllBins: true },
      { type: batchType.BATCH_REMOVE, key: key('k2') },
      { type: batchType.BATCH_REMOVE, key: key('none') },
      { type: batchType.BATCH_WRITE, key: key('k1'), ops: [op.write('n', 0)], policy: new aerospike.BatchWritePolicy({ exists: aerospike.policy.exists.CREATE }) }
    ])
    assert.deepEqual(rows.map(({ status }) => status), [
      status.OK, status.OK, status.OK, status.OK, status.ERR_RECORD_NOT_FOUND, status.ERR_RECORD_EXISTS
    ])
    assert.deepEqual(rows.slice(0, 3).map(({ record }) => record.bins.n), [100, 5, 1])
    assert.equal(await client.exists(key('k2')), false)
  },

  async 'batch writes with a time to live' ({ client, aerospike, key }) {
    const { batchType, operations: op } = aerospike
    await client.batchWrite([{ type: batchType.BATCH_WRITE, key: key('a'), ops: [op.write('n', 1)], policy: new aerospike.BatchWritePolicy({ ttl: 300 }) }])
    const { ttl } = await client.get(key('a'))
    assert.ok(ttl > 290 && ttl <= 300, `TTL ${ttl}`)
  },

  async scan (tools) {
    const { client, aerospike, set, collect } = tools
    await putMany(tools, 50)
    assert.deepEqual(numbers(await collect(client.scan('test', set))), range(0, 50))
    const selected = client.scan('test', set)
    selected.select('n')
    assert.deepEqual(Object.keys((await collect(selected))[0].bins), ['n'])
    const bare = client.scan('test', set, { nobins: true })
    assert.deepEqual((await collect(bare)).map(({ bins }) => Object.keys(bins ?? {}).length), Array(50).fill(0))
    const { exp } = aerospike
    const odd = await collect(client.scan('test', set), { filterExpression: exp.eq(exp.binStr('kind'), exp.str('odd')) })
    assert.deepEqual(numbers(odd), range(0, 25).map(n => 2 * n + 1))
    assert.deepEqual(await collect(client.scan('test', `${set}-none`)), [])
  },

  async 'scan of some partitions' (tools) {
    const { client, set, collect } = tools
    await putMany(tools, 50)
    const part = async (begin, count) => {
      const scan = client.scan('test', set)
      scan.partitions(begin, count)
      return collect(scan)
    }
    assert.deepEqual(numbers([...await part(0, 2048), ...await part(2048, 2048)]), range(0, 50))
  },

  async 'scan in pages' (tools) {
    const { client, set } = tools
    await putMany(tools, 25)
    const scan = client.scan('test', set, { paginate: true })
    const pages = []
    do {
      const { rows, state } = await page(scan.foreach({ maxRecords: 10 }))
      pages.push(rows)
      scan.nextPage(state)
    } while (scan.hasNextPage())
    assert.ok(pages.length >= 3, `${pages.length} pages`)
    assert.ok(pages.every(page => page.length <= 10))
    assert.deepEqual(numbers(pages.flat()), range(0, 25))
  },

  async 'query on integers' (tools) {
    const { client, aerospike, set, indexed } = tools
    const { filter, exp } = aerospike
    await putMany(tools, 20)
    await indexed('n', aerospike.indexDataType.NUMERIC, async () => {
      const query = (where, policy) => client.query('test', set, { filters: [where] }).results(policy)
      assert.deepEqual(numbers(await query(filter.range('n', 5, 8))), [5, 6, 7, 8])
      assert.deepEqual(numbers(await query(filter.equal('n', 7))), [7])
      assert.deepEqual(await query(filter.equal('n', 99)), [])
      const even = { filterExpression: exp.eq(exp.binStr('kind'), exp.str('even')) }
      assert.deepEqual(numbers(await query(filter.range('n', 5, 8), even)), [6, 8])
      // The index is updated with the records.
      await client.put(tools.key('k5'), { n: 500 })
      await client.remove(tools.key('k6'))
      assert.deepEqual(numbers(await query(filter.range('n', 5, 8))), [7, 8])
    })
  },

  async 'query on strings' (tools) {
    const { client, aerospike, set, indexed } = tools
    await putMany(tools, 20)
    await indexed('kind', aerospike.indexDataType.STRING, async () => {
      const query = client.query('test', set, { filters: [aerospike.filter.equal('kind', 'odd')], select: ['n'] })
      const rows = await query.results()
      assert.deepEqual(numbers(rows), range(0, 10).map(n => 2 * n + 1))
      assert.deepEqual(Object.keys(rows[0].bins), ['n'])
    })
    const gone = client.query('test', set, { filters: [aerospike.filter.equal('kind', 'odd')] })
    await assert.rejects(gone.results(), { code: aerospike.status.ERR_INDEX_NOT_FOUND })
  }
}
