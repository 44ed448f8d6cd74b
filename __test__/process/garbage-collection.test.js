'use strict'

// A store without references answers its pending requests and then closes.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { DevServer } = require('../../exports/dev-server')

/** Runs in its own process, which collects garbage all the time. */
async function run (main, hosts) {
  const { AerospikeStore, SessionStore } = require(main)
  setInterval(() => global.gc(), 10)
  const outcomes = await Promise.allSettled([
    new SessionStore({ hosts }).save('a', { n: 1 }),
    new SessionStore({ hosts }).get('b'),
    new Promise((resolve, reject) => new SessionStore({ hosts }).has('c', (error, has) => error ? reject(error) : resolve(has))),
    new AerospikeStore({ hosts, set: 'empty' }).length(),
    new AerospikeStore({ hosts, prefix: 'p' }).get('d'),
    new AerospikeStore({ client: new SessionStore({ hosts }) }).ids().catch(error => error.code)
  ])
  console.log(JSON.stringify(outcomes.map(({ value, reason }) => reason?.code ?? value)))
  process.exit()
}

test('a request holds its store until it is answered', async () => {
  const server = await DevServer.start()
  await server.inject({ kind: 'latency', ms: 200, on: 'any' })
  const program = `(${run})(...${JSON.stringify([require.resolve('../..'), server.hosts])})`
  const child = spawn(process.execPath, ['--expose-gc', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', data => { out += data })
  await once(child, 'close')
  expect(JSON.parse(out)).toEqual([null, null, false, 0, null, 'BAD_OPTION'])
  await server.stop()
}, 30_000)
