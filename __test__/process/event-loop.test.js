'use strict'

// While little is asked, the event loop does the work of requests (src/bridge/event_loop.rs). Each of the risks of that has a
// test here, in a process of its own, in which nothing else is asked.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { startTypeSpoofingServer } = require('../support/proxied-server')
const { putRaw } = require('../support/raw-record')
const { freshSet, hosts, openSessions } = require('../support/server')

/** What every program below starts with. */
function tools (main, options) {
  const fs = require('node:fs')
  const { SessionStore } = require(main)
  const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
  const block = ms => { for (const until = Date.now() + ms; Date.now() < until;); }
  const open = more => new SessionStore({ ...options, ...more })
  open.options = options

  /** How often a thread has waited for something so far. */
  function waits (name) {
    const statuses = fs.readdirSync('/proc/self/task').map(task => fs.readFileSync(`/proc/self/task/${task}/status`, 'utf8'))
    const own = statuses.find(status => status.startsWith(`Name:\t${name}`))
    return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(own)[1])
  }

  /** Asks for long enough that the event loop has taken over. */
  async function warm (sessions) {
    for (const until = Date.now() + 150; Date.now() < until;) await sessions.get('warm')
  }

  /** Waits of the threads in 1,000 reads, one after the other: the least of some tries, since the machine may be busy, and the most. */
  async function waitsOfReads (sessions) {
    const seen = { requests: Infinity, tending: Infinity, most: 0 }
    for (let n = 0; n < 5; n++) {
      await warm(sessions)
      const before = [waits('aerospike-sessi'), waits('aerospike-tend')]
      for (let n = 0; n < 1_000; n++) await sessions.get('warm')
      const requests = waits('aerospike-sessi') - before[0]
      seen.requests = Math.min(seen.requests, requests)
      seen.most = Math.max(seen.most, requests)
      seen.tending = Math.min(seen.tending, waits('aerospike-tend') - before[1])
    }
    return seen
  }

  return { block, open, sleep, waits, waitsOfReads, warm }
}

/** Runs a program, and what it says as JSON. `argument` goes to the program. */
async function run (program, { argument, options = {}, expected = 0, ready } = {}) {
  const given = [require.resolve('../..'), { hosts: hosts(), set: freshSet(), ...options }].map(value => JSON.stringify(value))
  if (options.hosts === undefined) openSessions(JSON.parse(given[1]))
  const source = `(${program})((${tools})(${given}), ${JSON.stringify(argument)})`
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  let out = ''
  let errors = ''
  child.stdout.on('data', data => { out += data })
  child.stderr.on('data', data => { errors += data })
  const late = setTimeout(() => child.kill('SIGKILL'), 50_000)
  const closed = once(child, 'close')
  if (ready !== undefined) await Promise.race([once(child, 'message').then(() => ready(child)), closed])
  const [code, signal] = await closed
  clearTimeout(late)
  expect({ code, signal, errors: expected === 0 ? errors : '' }).toEqual({ code: expected, signal: null, errors: '' })
  return { answer: out === '' ? undefined : JSON.parse(out), errors, options: JSON.parse(given[1]) }
}

const isOn = process.platform === 'linux'
const onLinux = isOn ? test : test.skip
jest.setTimeout(60_000)

describe('who does the work', () => {
  onLinux('of single operations: no thread is woken', async () => {
    const { answer } = await run(async ({ open, waitsOfReads }) => {
      const sessions = open()
      await sessions.save('warm', { n: 1 })
      console.log(JSON.stringify(await waitsOfReads(sessions)))
      await sessions.close()
    })
    // Twenty milliseconds apart, the thread looks whether the event loop is busy.
    expect(answer.requests).toBeLessThan(150)
    expect(answer.tending).toBeLessThan(50)
  })

  onLinux.each([
    ["with ioThread: 'always'", { ioThread: 'always' }, () => {}],
    ['where it is not known to work', {}, () => { Object.defineProperty(process, 'versions', { value: { ...process.versions, electron: '30.0.0' } }) }]
  ])('the thread, %s', async (_, options, before) => {
    const program = `async ({ open, waitsOfReads }) => {
      (${before})()
      const sessions = open()
      await sessions.save('warm', { n: 1 })
      console.log(JSON.stringify(await waitsOfReads(sessions)))
      await sessions.close()
    }`
    const { answer } = await run(program, { options })
    expect(answer.most).toBeGreaterThan(500)
  })

  onLinux('the thread, for good, once a worker has a store', async () => {
    const { answer } = await run(async ({ open, waitsOfReads }, main) => {
      const { Worker } = require('node:worker_threads')
      const { once } = require('node:events')
      const sessions = open()
      await sessions.save('warm', { n: 1 })
      const before = await waitsOfReads(sessions)
      const worker = new Worker(`
        const { SessionStore } = require(${JSON.stringify(main)})
        const { parentPort, workerData } = require('node:worker_threads')
        const sessions = new SessionStore(workerData)
        sessions.get('warm').then(async session => { await sessions.close(); parentPort.postMessage(session) })
      `, { eval: true, workerData: open.options })
      const pending = [1, 2, 3].map(n => sessions.save(`m${n}`, { n }))
      const [seen] = await once(worker, 'message')
      await Promise.all(pending)
      await once(worker, 'exit')
      console.log(JSON.stringify({ before, seen, after: await waitsOfReads(sessions) }))
      await sessions.close()
    }, { argument: require.resolve('../..') })
    expect(answer.before.requests).toBeLessThan(150)
    expect(answer.seen).toEqual({ n: 1 })
    expect(answer.after.most).toBeGreaterThan(500)
  })
})

describe('answers', () => {
  test('are right, and none is lost, while the work goes back and forth', async () => {
    const { answer } = await run(async ({ open }) => {
      const sessions = open()
      let seed = 1
      const random = below => (seed = seed * 48_271 % 2_147_483_647) % below
      const written = new Map()
      let answered = 0
      for (let round = 0; round < 3_000; round++) {
        // Mostly few; now and then more than the event loop takes.
        const count = random(4) > 0 ? 1 + random(3) : 1 + random(40)
        const first = random(200)
        const asked = Array.from({ length: count }, async (_, n) => {
          const id = `s${(first + n) % 200}`
          if (random(3) === 0) {
            const value = { n: round }
            await sessions.save(id, value)
            written.set(id, round)
          } else {
            const session = await sessions.get(id)
            if ((session?.n ?? null) !== (written.get(id) ?? null)) throw new Error(`${id}: ${JSON.stringify(session)}, not ${written.get(id)}`)
          }
          answered += 1
        })
        await Promise.all(asked)
        if (random(20) === 0) await new Promise(resolve => setTimeout(resolve, random(30)))
      }
      await sessions.close()
      console.log(JSON.stringify(answered))
    })
    expect(answer).toBeGreaterThan(10_000)
  })

  test('come in the context of their calls, and what callbacks start runs before anything else', async () => {
    const { answer } = await run(async ({ open, warm }) => {
      const { AsyncLocalStorage } = require('node:async_hooks')
      const storage = new AsyncLocalStorage()
      const sessions = open()
      await sessions.save('warm', { n: 1 })
      await warm(sessions)
      const seen = []
      for (let n = 0; n < 50; n++) {
        await new Promise(resolve => storage.run(n, () => sessions.get('warm', () => {
          seen.push(storage.getStore())
          const order = []
          setImmediate(() => {
            if (order.join() !== 'tick,microtask') throw new Error(order.join())
            resolve()
          })
          process.nextTick(() => order.push('tick'))
          Promise.resolve().then(() => order.push('microtask'))
        })))
        await storage.run(n, async () => {
          await sessions.get('warm')
          if (storage.getStore() !== n) throw new Error('context of a promise')
        })
      }
      await sessions.close()
      console.log(JSON.stringify(seen))
    })
    expect(answer).toEqual(Array.from({ length: 50 }, (_, n) => n))
  })

  test('go on after a callback that throws', async () => {
    const { answer } = await run(async ({ open, warm }) => {
      const caught = []
      process.on('uncaughtException', error => caught.push(error.message))
      const sessions = open()
      await sessions.save('warm', { n: 1 })
      await warm(sessions)
      const answered = []
      for (let n = 0; n < 20; n++) {
        const others = [1, 2].map(() => sessions.get('warm'))
        sessions.get('warm', () => { throw new Error(`thrown ${n}`) })
        answered.push((await Promise.all(others)).length, (await sessions.get('warm')).n)
      }
      await sessions.close()
      console.log(JSON.stringify({ caught, answered: answered.length }))
    })
    expect(answer).toEqual({ caught: Array.from({ length: 20 }, (_, n) => `thrown ${n}`), answered: 40 })
  })

  test('that throw end the process, as others do', async () => {
    const { errors } = await run(async ({ open, warm }) => {
      const sessions = open()
      await warm(sessions)
      sessions.get('warm', () => { throw new Error('nobody catches this') })
    }, { expected: 1 })
    expect(errors).toMatch(/nobody catches this/)
  })

  test('reach each of several stores, of which some are closed meanwhile', async () => {
    const { answer } = await run(async ({ open, warm }) => {
      const stores = [open(), open({ prefix: 'b:' }), open({ prefix: 'c:' })]
      for (const [n, store] of stores.entries()) await store.save('warm', { n })
      await warm(stores[0])
      const seen = []
      for (const n of [2, 1, 0]) {
        for (let m = 0; m < 100; m++) seen.push(...(await Promise.all(stores.slice(0, n + 1).map(store => store.get('warm')))).map(({ n }) => n))
        await stores[n].close()
      }
      console.log(JSON.stringify(seen.length))
    })
    expect(answer).toBe(600)
  })
})

describe('an event loop that is busy', () => {
  test('does not keep operations from being carried out', async () => {
    const server = await DevServer.start()
    const others = new SessionStore({ hosts: server.hosts, set: 'busy' })
    const ready = async () => {
      while (await others.get('third') === null) await new Promise(resolve => setTimeout(resolve, 2))
      return Date.now()
    }
    let seen
    const { answer } = await run(async ({ block, open, sleep, warm }) => {
      const sessions = open()
      await warm(sessions)
      process.send('ready')
      await sleep(100)
      await warm(sessions)
      const saved = ['first', 'second', 'third'].map(id => sessions.save(id, { n: 1 }))
      const began = Date.now()
      block(1_000)
      const ended = Date.now()
      await Promise.all(saved)
      await sessions.close()
      process.disconnect()
      console.log(JSON.stringify({ began, ended }))
    }, { options: { hosts: server.hosts, set: 'busy' }, ready: async () => { seen = await ready() } })
    expect(seen).toBeLessThan(answer.ended - 500)
    await others.close()
    await server.stop()
  })

  test('and a server that is silent leave operations their deadlines', async () => {
    const server = await DevServer.start()
    const { answer } = await run(async ({ open, sleep, warm }) => {
      const sessions = open({ timeout: 300 })
      await warm(sessions)
      process.send('ready')
      await new Promise(resolve => process.once('message', resolve))
      const took = []
      for (let n = 0; n < 3; n++) {
        const began = performance.now()
        const { code } = await sessions.get('any').catch(error => error)
        took.push([code, Math.round(performance.now() - began)])
        await sleep(20)
      }
      await sessions.close()
      process.disconnect()
      console.log(JSON.stringify(took))
    }, {
      options: { hosts: server.hosts },
      ready: async child => {
        await server.inject({ kind: 'silent' })
        child.send('go')
      }
    })
    for (const [code, took] of answer) {
      expect(code).toBe('TIMEOUT')
      expect(took).toBeGreaterThan(280)
      expect(took).toBeLessThan(500)
    }
    await server.stop()
  })

  test('and the shortest deadline: late by some looks at the most', async () => {
    const server = await DevServer.start()
    const { answer } = await run(async ({ open, sleep, warm }) => {
      const sessions = open({ timeout: 10 })
      const quick = open()
      await warm(quick)
      process.send('ready')
      await new Promise(resolve => process.once('message', resolve))
      const began = performance.now()
      const { code } = await sessions.get('any').catch(error => error)
      const took = Math.round(performance.now() - began)
      process.disconnect()
      console.log(JSON.stringify([code, took]))
      process.exit()
    }, {
      options: { hosts: server.hosts },
      ready: async child => {
        await server.inject({ kind: 'silent' })
        child.send('go')
      }
    })
    expect(answer[0]).toBe('TIMEOUT')
    expect(answer[1]).toBeLessThan(150)
    await server.stop()
  })
})

onLinux.each([['list', '91'], ['map', '81c0']])('a %s nested a million levels deep is read, and its stack given back', async (type, level) => {
  const server = await startTypeSpoofingServer({ data: type })
  const levels = Buffer.from(level.repeat(1_000_000 / (level.length / 2)), 'hex')
  await putRaw(server.server.hosts, ['test', 'deep', 'deep'], { data: ['blob', Buffer.concat([levels, Buffer.from([0xc0])])] })
  const { answer } = await run(async ({ open, sleep, warm }) => {
    const sessions = open()
    sessions.on('warning', () => {})
    const resident = () => Math.round(process.memoryUsage.rss() / 2 ** 20)
    await warm(sessions)
    const before = resident()
    const seen = []
    for (let n = 0; n < 3; n++) {
      await warm(sessions)
      const { code } = await sessions.get('deep').catch(error => error)
      await sleep(100)
      seen.push({ code, kept: resident() - before })
    }
    await sessions.close()
    console.log(JSON.stringify(seen))
  }, { options: { hosts: server.hosts, set: 'deep' } })
  for (const { code, kept } of answer) {
    expect(code).toBe('BAD_DATA')
    // The record itself is in the allocator's hands: 80 to 170 MB. The stack is more than 300.
    expect(kept).toBeLessThan(250)
  }
  await server.stop()
})

describe('the end', () => {
  test('of a store answers what is under way', async () => {
    const { answer } = await run(async ({ open, warm }) => {
      const outcomes = {}
      for (let n = 0; n < 30; n++) {
        const sessions = open()
        await sessions.save('warm', { n: 1 })
        if (n % 3 === 0) await warm(sessions)
        const asked = Array.from({ length: 1 + n % 5 }, () => sessions.get('warm').then(() => 'answered', error => error.code))
        await sessions.close()
        for (const outcome of await Promise.all(asked)) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      }
      console.log(JSON.stringify(outcomes))
    })
    const { answered = 0, CLOSED = 0, ...others } = answer
    expect(others).toEqual({})
    expect(answered + CLOSED).toBe(90)
  })

  test('of a process comes by itself, without `close`, and with the answers that are awaited', async () => {
    const { answer } = await run(async ({ open, warm }) => {
      const sessions = open()
      await sessions.save('warm', { n: 1 })
      await warm(sessions)
      process.disconnect()
      const since = Date.now()
      process.on('exit', () => console.log(JSON.stringify({ took: Date.now() - since, seen: seen.length })))
      const seen = []
      for (let n = 0; n < 3; n++) sessions.get('warm').then(session => seen.push(session))
    })
    expect(answer.seen).toBe(3)
    expect(answer.took).toBeLessThan(1_000)
  })

  test('of a process by `process.exit`, in the middle of operations', async () => {
    for (const count of [1, 3, 20]) {
      await run(async ({ open, warm }, count) => {
        const sessions = open()
        await warm(sessions)
        for (let n = 0; n < count; n++) sessions.get('warm').catch(() => {})
        if (count === 3) await sessions.get('warm')
        process.exit(7)
      }, { argument: count, expected: 7 })
    }
  })
})

onLinux('a process that asks nothing does nothing', async () => {
  const { answer } = await run(async ({ open, sleep, waits, warm }) => {
    const sessions = open()
    await warm(sessions)
    // The thread has taken over again, after a second.
    await sleep(1_500)
    const before = waits('aerospike-sessi')
    await sleep(1_000)
    console.log(JSON.stringify(waits('aerospike-sessi') - before))
    await sessions.close()
  })
  expect(answer).toBeLessThan(20)
})
