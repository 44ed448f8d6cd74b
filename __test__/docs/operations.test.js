'use strict'

// The numbers of docs/operations.md that can be measured: the memory of a session on the server, and the connections of a
// store. Measured on the dev server, which counts both as a real one does.

const { AerospikeStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { exchange } = require('../../lib/dev-server/dev-server-client')
const { makeSession } = require('../../bench/session')
const { rowsUnder, textOf } = require('../support/pages')

const PAGE = 'docs/operations.md'
const SESSIONS = 100

/** Returns the fields of an answer to an info command. */
async function fields (address, command) {
  const answer = await exchange(address, command)
  return Object.fromEntries(answer.split('\t')[1].trim().split(';').map(pair => pair.split('=')))
}

const number = text => Number(text.replace(/,/g, ''))

/** The options that each column of the table is measured with. */
const COLUMNS = [{}, { format: 'json' }, { encryptionKeys: [Buffer.alloc(32, 7)] }, { user: () => '471100' }, { storeIds: true }]

test.each([[0.5, 0], [4, 1]])('a session of %s kB takes the documented memory', async (size, row) => {
  const [json, ...expected] = rowsUnder(PAGE, 'as JSON')[row].map(number)
  const session = makeSession(size)
  expect(JSON.stringify(session).length).toBe(json)
  const taken = []
  for (const options of COLUMNS) {
    const server = await DevServer.start()
    const store = new AerospikeStore({ hosts: server.hosts, ...options })
    const ids = Array.from({ length: SESSIONS }, (_, n) => String(n).padStart(32, 'x'))
    await Promise.all(ids.map(id => store.set(id, session)))
    const { objects, data_used_bytes: data, index_used_bytes: index } = await fields(server.hosts, 'namespace/test')
    expect([Number(objects), Number(index)]).toStrictEqual([SESSIONS, SESSIONS * 64])
    taken.push(Number(data) / SESSIONS)
    await store.close()
    await server.stop()
  }
  expect(taken).toStrictEqual(expected)
})

test('a store with 1,000 operations in flight opens the documented number of connections', async () => {
  const inPage = Number(/takes fewer than (\d+) connections a node with 1,000 operations in flight/.exec(textOf(PAGE))[1])
  const server = await DevServer.start({ nodes: 3 })
  const store = new AerospikeStore({ hosts: server.hosts })
  const rounds = async id => {
    for (let n = 0; n < 10; n++) {
      await store.set(id, makeSession(0.5))
      await store.get(id)
    }
  }
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => rounds(`session-${n}`)))
  const counts = await Promise.all(server.hosts.split(',').map(host => fields(host, 'statistics')))
  // One is the connection of this request.
  const most = Math.max(...counts.map(({ client_connections: count }) => Number(count) - 1))
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThan(inPage)
  await store.close()
  await server.stop()
}, 30_000)
