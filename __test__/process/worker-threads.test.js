'use strict'

// Worker threads that use a store and exit with operations in flight: the process must survive them. The main thread never
// loads the package. So the last thread that uses the package may unload it.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { freshSet, hosts, openSessions } = require('../support/server')

/** THREADS=200 searches longer. */
const WORKERS = Number(process.env.THREADS ?? 40)

/** Runs in a worker. With `all`, all of its reads are in flight when it exits. */
function work (main, options, leave) {
  const { parentPort } = require('node:worker_threads')
  const { SessionStore } = require(main)
  const sessions = new SessionStore(options)
  sessions.save('any', { n: 1 }).then(async () => {
    for (let n = 0; n < 50; n++) sessions.get('any').catch(() => {})
    if (!leave) await sessions.close()
    parentPort.postMessage('done')
  })
}

/** Runs in the process: one worker after the other. */
async function run (count, source) {
  const { Worker } = require('node:worker_threads')
  for (let n = 0; n < count; n++) {
    const worker = new Worker(source(n % 2 === 0), { eval: true })
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    await worker.terminate()
  }
}

test('start and exit', async () => {
  const options = { hosts: hosts(), set: freshSet() }
  openSessions(options)
  const given = `${JSON.stringify(require.resolve('../..'))}, ${JSON.stringify(options)}`
  const program = `(${run})(${WORKERS}, leave => \`(${work})(${given}, \${leave})\`).then(() => console.log('all have ended'))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', data => { out += data })
  const [code, signal] = await once(child, 'close')
  expect({ code, signal, out }).toEqual({ code: 0, signal: null, out: 'all have ended\n' })
}, 60_000 + 1_000 * WORKERS)

/** Runs in a worker: waits for a signal, and then opens a store and a development server. */
function open (main) {
  const { parentPort, workerData } = require('node:worker_threads')
  const { SessionStore } = require(main)
  const { DevServer } = require(`${main.slice(0, -'index.js'.length)}exports/dev-server`)
  parentPort.postMessage('ready')
  Atomics.wait(workerData, 0, 0)
  const store = new SessionStore({ hosts: '127.0.0.1:1' })
  DevServer.start().then(server => server.stop()).then(() => store.close()).then(() => parentPort.postMessage('done'))
}

/** Prints how many threads of each name the process has after all workers have opened theirs at the same time. */
async function runTogether (count, source) {
  const fs = require('node:fs')
  const { once } = require('node:events')
  const { Worker } = require('node:worker_threads')
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const workers = Array.from({ length: count }, () => new Worker(source, { eval: true, workerData: gate }))
  await Promise.all(workers.map(worker => once(worker, 'message')))
  const done = Promise.all(workers.map(worker => once(worker, 'message')))
  Atomics.store(gate, 0, 1)
  Atomics.notify(gate, 0)
  await done
  const nameOf = task => {
    try {
      return fs.readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim()
    } catch {
      return '' // The thread has exited in the meantime.
    }
  }
  const names = fs.readdirSync('/proc/self/task').map(nameOf)
  const counts = {}
  for (const name of names.filter(name => name.startsWith('aerospike'))) counts[name] = (counts[name] ?? 0) + 1
  console.log(JSON.stringify(counts))
  process.exit()
}

const onLinux = process.platform === 'linux' ? test : test.skip
onLinux('that start at the same time share the threads of the core', async () => {
  const source = `(${open})(${JSON.stringify(require.resolve('../..'))})`
  for (let n = 0; n < 5; n++) {
    const child = spawn(process.execPath, ['-e', `(${runTogether})(8, ${JSON.stringify(source)})`], { stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', data => { out += data })
    await once(child, 'close')
    // Linux keeps 15 characters of a name.
    expect(JSON.parse(out)).toEqual({ 'aerospike-sessi': 1, 'aerospike-bulk': 1, 'aerospike-tend': 1, 'aerospike-dev': 2 })
  }
}, 120_000)
