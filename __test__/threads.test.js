'use strict'

// Worker threads that use a store and end, with operations under way: the process must outlive them.
// In a process of its own, whose main thread never loads the package: then the last thread to use
// it may have it unloaded.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { freshSet, hosts, openSessions } = require('./support/server')

/** THREADS=200 looks for longer. */
const WORKERS = Number(process.env.THREADS ?? 40)

/** What a worker does: `all` of its reads are still under way when it ends. */
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

/** What the process does: one worker after the other. */
async function run (count, source) {
  const { Worker } = require('node:worker_threads')
  for (let n = 0; n < count; n++) {
    const worker = new Worker(source(n % 2 === 0), { eval: true })
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    await worker.terminate()
  }
}

test('come and go', async () => {
  const options = { hosts: hosts(), set: freshSet() }
  openSessions(options)
  const given = `${JSON.stringify(require.resolve('..'))}, ${JSON.stringify(options)}`
  const program = `(${run})(${WORKERS}, leave => \`(${work})(${given}, \${leave})\`).then(() => console.log('all have ended'))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', data => { out += data })
  const [code, signal] = await once(child, 'close')
  expect({ code, signal, out }).toEqual({ code: 0, signal: null, out: 'all have ended\n' })
}, 60_000 + 1_000 * WORKERS)
