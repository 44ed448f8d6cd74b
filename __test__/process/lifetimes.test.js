'use strict'

// The end of a process, a thread or a test run: no hang, no crash, no lost callback. Real processes run a few lines against the
// suite's server.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { except } = require('../support/runtime')
const { hosts, freshSet } = require('../support/server')

const root = path.resolve(__dirname, '../..')
const set = freshSet()

afterAll(() => run('await sessions.ready(); await new AerospikeStore({ client: sessions }).clear()'))

/**
 * Runs a script with `sessions` open. Resolves when the process exits.
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
  test('with an idle store exits by itself', async () => {
    expect(await run('')).toMatchObject({ code: 0, signal: null, err: '' })
    expect(await run('await sessions.save("a", { a: 1 }); console.log("saved")')).toMatchObject({ code: 0, out: 'saved\n', err: '' })
  })

  test('waits for requests in flight, and loses no callback', async () => {
    const script = `
      let count = 0
      for (let n = 0; n < 100; n++) sessions.save('f' + n, { n }, error => { if (!error) count += 1 })
      process.on('exit', () => console.log(count))`
    expect(await run(script)).toMatchObject({ code: 0, out: '100\n', err: '' })
  })

  test('that exits with 100 requests in flight exits at once without a crash', async () => {
    const script = `
      await sessions.ready()
      for (let n = 0; n < 100; n++) sessions.save('x' + n, { n })
      process.exit(7)`
    expect(await run(script)).toMatchObject({ code: 7, signal: null, err: '' })
  })

  test('with an unreachable cluster and an otherwise empty event loop exits by itself', async () => {
    const script = `const { SessionStore } = require(${JSON.stringify(root)}); new SessionStore({ hosts: '127.0.0.1:9' })`
    expect(await run(script, { prelude: false })).toMatchObject({ code: 0, err: '' })
  })

  test('with an unhandled error of an operation gets a report of Node.js and does not crash', async () => {
    const result = await run('sessions.get(""); await sessions.get("a")')
    expect(result.code).toBe(1)
    expect(result.signal).toBeNull()
    expect(result.err).toMatch(/AerospikeSessionError.*a session id must not be empty/)
  })

  test('frees stores that were not closed and have no references', async () => {
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

describe('a process that gets a signal', () => {
  test('closes its stores, answers requests in flight, and exits by itself', async () => {
    const script = `
      await sessions.ready()
      const store = new AerospikeStore({ client: sessions })
      let [asked, answered, closed] = [0, 0, 0]
      const again = n => {
        asked += 1
        sessions.save('term' + n, { n }, error => {
          answered += 1
          if (error?.code === 'CLOSED') closed += 1
          else if (error) throw error
          else again(n)
        })
      }
      process.once('SIGTERM', () => sessions.close())
      process.on('exit', () => console.log(asked === answered, closed))
      for (let n = 0; n < 100; n++) again(n)
      setTimeout(() => process.kill(process.pid, 'SIGTERM'), 200)`
    expect(await run(script)).toEqual({ code: 0, signal: null, out: 'true 100\n', err: '' })
  })

  test('and does not close is ended by the signal, with operations in flight', async () => {
    const script = `
      await sessions.ready()
      const again = n => sessions.save('term' + n, { n }, () => again(n))
      for (let n = 0; n < 100; n++) again(n)
      setTimeout(() => process.kill(process.pid, 'SIGTERM'), 100)`
    expect(await run(script)).toEqual({ code: null, signal: 'SIGTERM', out: '', err: '' })
  })
})

describe('close()', () => {
  test('rejects pending requests with CLOSED, each promise and callback once', async () => {
    const script = `
      const { DevServer } = require(${JSON.stringify(path.join(root, 'exports/dev-server'))})
      const server = await DevServer.start()
      const own = new SessionStore({ hosts: server.hosts, timeout: 60_000 })
      const store = new AerospikeStore({ client: own })
      await own.ready()
      await server.freeze()
      const calls = new Array(300).fill(0)
      const codes = new Set()
      const session = { cookie: { originalMaxAge: null } }
      for (let n = 0; n < 300; n += 3) {
        own.save('p' + n, { n }, error => { calls[n] += 1; codes.add(error.code) })
        store.set('p' + n, session, error => { calls[n + 1] += 1; codes.add(error.code) })
        store.get('q' + n, error => { calls[n + 2] += 1; codes.add(error.code) })
      }
      const promises = [store.length(), store.all(), store.prune(), store.sessions().next(), own.get('p0')].map(one => one.catch(error => codes.add(error.code)))
      await Promise.all([own.close(), own.close(), store.close()])
      await Promise.all(promises)
      console.log(calls.every(one => one === 1), ...codes)
      await sessions.close()
      await server.stop()`
    expect(await run(script)).toEqual({ code: 0, signal: null, out: 'true CLOSED\n', err: '' })
  })
})

describe('memory', () => {
  const measured = `
      const { setTimeout: pass } = require('node:timers/promises')
      // Some memory is freed only after a few turns.
      const used = async () => {
        for (let n = 0; n < 5; n++) { globalThis.gc(); await pass(20) }
        const { heapUsed, rss } = process.memoryUsage()
        return { heap: heapUsed / 2 ** 20, rss: rss / 2 ** 20 }
      }
      const grown = async (work, times) => {
        await work(times)
        const before = await used()
        await work(times * 10)
        const after = await used()
        console.log(after.heap - before.heap < 5, after.rss - before.rss < 60)
        if (after.heap - before.heap >= 5 || after.rss - before.rss >= 60) console.log(before, after)
      }`

  test('does not grow with the number of operations', async () => {
    const script = `${measured}
      const store = new AerospikeStore({ client: sessions, storeIds: true })
      const session = { cookie: { originalMaxAge: 60_000 }, big: 'x'.repeat(2_000) }
      await grown(async times => {
        for (let n = 0; n < times; n++) {
          await Promise.all(Array.from({ length: 50 }, async (_, n) => {
            const id = 'm' + n
            await store.set(id, { ...session })
            const loaded = await store.get(id)
            loaded.n = n
            await store.set(id, loaded)
            await store.touch(id, loaded)
            await sessions.get('none').then(() => sessions.get('')).catch(() => {})
            await store.destroy(id)
          }))
        }
      }, 20)`
    expect(await run(script, { flags: ['--expose-gc'] })).toEqual({ code: 0, signal: null, out: 'true true\n', err: '' })
  }, 60_000)

  test('does not grow with the number of stores that are opened and closed', async () => {
    const script = `${measured}
      await grown(async times => {
        for (let n = 0; n < times; n++) {
          const one = new SessionStore({ hosts: process.env.TEST_HOSTS, set: '${set}' })
          await one.has('any')
          await one.close()
        }
      }, 20)`
    expect(await run(script, { flags: ['--expose-gc'] })).toEqual({ code: 0, signal: null, out: 'true true\n', err: '' })
  }, 60_000)

  test('does not grow with the number of stores on a shared client, which keeps working', async () => {
    const script = `${measured}
      let kept
      const registry = new FinalizationRegistry(() => { freed += 1 })
      let [made, freed] = [0, 0]
      await grown(async times => {
        for (let n = 0; n < times; n++) {
          kept = new AerospikeStore({ client: sessions, prefix: 'p' + n, whenDown: 'anonymous' })
          registry.register(kept)
          made += 1
          await kept.get('any')
        }
      }, 200)
      await used()
      console.log(made - freed)
      kept.once('warning', ({ code }) => console.log(code))
      console.log(...['up', 'down', 'warning'].map(name => sessions.listenerCount(name)))
      await kept.sessionsOf('nobody')`
    expect(await run(script, { flags: ['--expose-gc'] })).toEqual({
      code: 0, signal: null, out: 'true true\n1\n1 1 2\nNO_USER_INDEX\n', err: ''
    })
  }, 60_000)
})

describe('a separate vm context', () => {
  test('passes its own objects to a store, and gets equal ones', async () => {
    const script = `
      const vm = require('node:vm')
      const context = vm.createContext({ sessions, store: new AerospikeStore({ client: sessions }), console })
      await vm.runInContext(\`(async () => {
        await sessions.save('vm', { list: [1, { a: null }], at: new Date(0), map: new Map() })
        console.log(JSON.stringify(await sessions.get('vm')))
        const session = { cookie: { originalMaxAge: 60000, expires: new Date(Date.now() + 60000) }, n: 1 }
        await store.set('vm', session)
        session.n = 2
        await store.set('vm', session)
        console.log((await store.get('vm')).n)
        const error = await sessions.save('vm', { toJSON () { throw new Error('theirs') } }).catch(error => error)
        console.log(error.code, error.cause.message)
        await new Promise(resolve => sessions.get('vm', resolve))
      })()\`, context)
      const own = vm.createContext({ require, TEST_HOSTS: process.env.TEST_HOSTS, console })
      await vm.runInContext(\`(async () => {
        const { SessionStore } = require(${JSON.stringify(root)})
        const own = new SessionStore({ hosts: TEST_HOSTS, set: '${set}' })
        console.log(await own.has('vm'))
        await own.close()
      })()\`, own)`
    expect(await run(script)).toEqual({
      code: 0, signal: null, err: '', out: '{"at":"1970-01-01T00:00:00.000Z","list":[1,{"a":null}],"map":{}}\n2\nBAD_DATA theirs\ntrue\n'
    })
  })
})

describe('a cluster of processes', () => {
  test('of eight, each with a store, shares one set, and all exit by themselves', async () => {
    const script = `
      const cluster = require('node:cluster')
      if (cluster.isPrimary) {
        const codes = []
        for (let n = 0; n < 8; n++) cluster.fork()
        cluster.on('exit', async (worker, code, signal) => {
          codes.push(signal ?? code)
          if (codes.length < 8) return
          const found = await Promise.all(Array.from({ length: 8 }, (_, n) => sessions.get('worker' + (n + 1))))
          console.log(codes.join(), found.every(one => one.n === 99))
        })
      } else {
        const id = 'worker' + cluster.worker.id
        for (let n = 0; n < 100; n++) await sessions.save(id, { n })
        await sessions.close()
        cluster.worker.disconnect()
      }`
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-')), 'cluster.js')
    fs.writeFileSync(file, `
      const { AerospikeStore, SessionStore } = require(${JSON.stringify(root)})
      const sessions = new SessionStore({ hosts: process.env.TEST_HOSTS, set: '${set}' })
      const main = async () => { ${script} }
      main()`)
    expect(await child([file])).toEqual({ code: 0, signal: null, out: '0,0,0,0,0,0,0,0 true\n', err: '' })
    fs.rmSync(path.dirname(file), { recursive: true })
  })
})

describe('a callback that throws', () => {
  test('is an uncaught exception like any other', async () => {
    const result = await run('sessions.has("a", () => { throw new Error("theirs") })')
    expect(result.code).toBe(1)
    expect(result.err).toMatch(/[Ee]rror: theirs/)
  })

  test('does not prevent other callbacks, each called once', async () => {
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
  test('has its own store, and exits by itself', async () => {
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

  test('can be terminated repeatedly with requests in flight', async () => {
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
  // See support/jest.bun.config.js.
  except(['bun'], 'jest needs a configuration of its own').each([
    ['without close()', '', []],
    ['after close(), and finds no open handle', 'await sessions.close()', ['--detectOpenHandles']]
  ])('exits %s, and reports nothing', async (_, end, flags) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'aerospike-session-'))
    fs.writeFileSync(path.join(folder, 'a.test.js'), `
      const { SessionStore } = require(${JSON.stringify(root)})
      test('keeps a session', async () => {
        const sessions = new SessionStore({ hosts: process.env.TEST_HOSTS, set: '${set}' })
        await sessions.save('jest', { a: 1 })
        expect(await sessions.get('jest')).toStrictEqual({ a: 1 })
        await expect(sessions.get('')).rejects.toThrow(Error)
        ${end}
      })`)
    const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js')
    const result = await child([jest, '--ci', ...flags, '--rootDir', folder, '--config', '{"testEnvironment":"node"}'], { cwd: folder })
    fs.rmSync(folder, { recursive: true })
    expect(result.err).toMatch(/Tests: +1 passed/)
    expect(result.err).not.toMatch(/did not exit|open handle|A worker process/)
    expect(result.code).toBe(0)
  })
})
