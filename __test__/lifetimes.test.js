'use strict'

// What is left when a process, a thread or a test run ends: no hang, no crash, no lost callback.
// Real processes, each running a few lines against the suite's server.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { hosts, freshSet } = require('./support/server')

const root = path.resolve(__dirname, '..')
const set = freshSet()

afterAll(() => run('await sessions.ready(); await new AerospikeStore({ client: sessions }).clear()'))

/**
 * Runs a script with `sessions` open; resolves when the process ends.
 * @returns {Promise<{ code: number | null, signal: string | null, out: string, err: string }>}
 */
function run (script, { flags = [], prelude = true } = {}) {
  const head = `
    const { AerospikeStore, SessionStore } = require(${JSON.stringify(root)})
    const sessions = new SessionStore({ hosts: process.env.TEST_HOSTS, set: ${JSON.stringify(set)} })
    sessions.on('warning', () => {})
    const main = async () => { ${script} }
    main()`
  return child([...flags, '-e', prelude ? head : script])
}

function child (args, options = {}) {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, args, { cwd: root, env: { ...process.env, TEST_HOSTS: hosts() }, ...options })
    let [out, err] = ['', '']
    process_.stdout.on('data', data => { out += data })
    process_.stderr.on('data', data => { err += data })
    process_.on('error', reject)
    process_.on('close', (code, signal) => resolve({ code, signal, out, err }))
  })
}

describe('a process', () => {
  test('with an idle store ends by itself', async () => {
    expect(await run('')).toMatchObject({ code: 0, signal: null, err: '' })
    expect(await run('await sessions.save("a", { a: 1 }); console.log("saved")')).toMatchObject({ code: 0, out: 'saved\n', err: '' })
  })

  test('waits for what is in flight, and loses no callback', async () => {
    const script = `
      let count = 0
      for (let n = 0; n < 100; n++) sessions.save('f' + n, { n }, error => { if (!error) count += 1 })
      process.on('exit', () => console.log(count))`
    expect(await run(script)).toMatchObject({ code: 0, out: '100\n', err: '' })
  })

  test('that exits with 100 requests in flight exits at once and cleanly', async () => {
    const script = `
      await sessions.ready()
      for (let n = 0; n < 100; n++) sessions.save('x' + n, { n })
      process.exit(7)`
    expect(await run(script)).toMatchObject({ code: 7, signal: null, err: '' })
  })

  test('whose event loop is empty but for an unreachable cluster ends by itself', async () => {
    const script = `const { SessionStore } = require(${JSON.stringify(root)}); new SessionStore({ hosts: '127.0.0.1:9' })`
    expect(await run(script, { prelude: false })).toMatchObject({ code: 0, err: '' })
  })

  test('with an unhandled error of an operation is told by node, not by a crash', async () => {
    const result = await run('sessions.get(""); await sessions.get("a")')
    expect(result.code).toBe(1)
    expect(result.signal).toBeNull()
    expect(result.err).toMatch(/AerospikeSessionError.*a session id must not be empty/)
  })

  test('frees stores that nobody closed and nobody uses', async () => {
    const script = `
      const { setTimeout: pass } = require('node:timers/promises')
      const sockets = () => require('node:fs').readdirSync('/proc/self/fd').length
      await sessions.ready()
      const before = sockets()
      await (async () => { for (let n = 0; n < 5; n++) await new SessionStore({ hosts: process.env.TEST_HOSTS }).has('a') })()
      const during = sockets()
      let after = during
      for (let n = 0; n < 100 && after > before; n++) { globalThis.gc(); await pass(50); after = sockets() }
      console.log(during > before, after <= before)`
    expect(await run(script, { flags: ['--expose-gc'] })).toMatchObject({ code: 0, out: 'true true\n' })
  })
})

describe('a callback that throws', () => {
  test('is an uncaught exception like any other', async () => {
    const result = await run('sessions.has("a", () => { throw new Error("theirs") })')
    expect(result.code).toBe(1)
    expect(result.err).toMatch(/Error: theirs/)
  })

  test('does not keep the others from being called, each once', async () => {
    const script = `
      const calls = new Array(500).fill(0)
      let thrown = 0
      process.on('uncaughtException', () => { thrown += 1 })
      await sessions.ready()
      for (let n = 0; n < 500; n++) {
        sessions.has('t' + n, () => { calls[n] += 1; if (n % 10 === 0) throw new Error('theirs') })
      }
      process.on('exit', () => console.log(calls.every(one => one === 1), thrown))`
    expect(await run(script)).toMatchObject({ code: 0, out: 'true 50\n' })
  })
})

describe('a worker thread', () => {
  test('has a store of its own, and ends by itself', async () => {
    const script = `
      const { Worker } = require('node:worker_threads')
      const code = \`
        const { SessionStore } = require(\${JSON.stringify(${JSON.stringify(root)})})
        const sessions = new SessionStore({ hosts: process.env.TEST_HOSTS, set: '${set}' })
        sessions.get('w').then(data => require('node:worker_threads').parentPort.postMessage(data))\`
      await sessions.save('w', { w: 1 })
      const worker = new Worker(code, { eval: true })
      worker.on('message', data => console.log(JSON.stringify(data)))
      worker.on('exit', code => console.log('exit', code))`
    expect(await run(script)).toMatchObject({ code: 0, out: '{"w":1}\nexit 0\n', err: '' })
  })

  test('can be terminated with requests in flight, again and again', async () => {
    const script = `
      const { Worker } = require('node:worker_threads')
      const { once } = require('node:events')
      const code = \`
        const { SessionStore } = require(\${JSON.stringify(${JSON.stringify(root)})})
        const sessions = new SessionStore({ hosts: process.env.TEST_HOSTS, set: '${set}' })
        sessions.ready().then(() => {
          const again = n => sessions.save('k' + n, { n }, () => again(n))
          for (let n = 0; n < 50; n++) again(n)
          require('node:worker_threads').parentPort.postMessage('running')
        })\`
      for (let n = 0; n < 20; n++) {
        const worker = new Worker(code, { eval: true })
        await once(worker, 'message')
        await worker.terminate()
      }
      console.log('alive', await sessions.has('never'))`
    expect(await run(script)).toMatchObject({ code: 0, signal: null, out: 'alive false\n', err: '' })
  })
})

describe('jest', () => {
  test('ends without close(), and reports nothing', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-'))
    fs.writeFileSync(path.join(folder, 'a.test.js'), `
      const { SessionStore } = require(${JSON.stringify(root)})
      test('a session', async () => {
        const sessions = new SessionStore({ hosts: process.env.TEST_HOSTS, set: '${set}' })
        await sessions.save('jest', { a: 1 })
        expect(await sessions.get('jest')).toStrictEqual({ a: 1 })
        await expect(sessions.get('')).rejects.toThrow(Error)
      })`)
    const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js')
    const result = await child([jest, '--ci', '--rootDir', folder, '--config', '{"testEnvironment":"node"}'], { cwd: folder })
    fs.rmSync(folder, { recursive: true })
    expect(result.err).toMatch(/Tests: +1 passed/)
    expect(result.err).not.toMatch(/did not exit|open handle|A worker process/)
    expect(result.code).toBe(0)
  })
})
