'use strict'

// The differential tester: it reports no difference of a server to itself, and finds a single different answer.

const { execFile } = require('node:child_process')
const net = require('node:net')
const path = require('node:path')
const { once } = require('node:events')
const { hosts } = require('../support/server')

const TESTER = path.join(__dirname, '../../devserver/differential/index.js')

/** Runs the tester. Returns its exit code and its output. */
function differential (...args) {
  return new Promise(resolve => {
    execFile(process.execPath, [TESTER, ...args], (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }))
  })
}

const HEADER = 8
const MESSAGE = 3
/** The offset of the lowest byte of the generation in a message. */
const GENERATION = 9

/** Starts a proxy that changes the generation in each answer to one kind of message. */
async function tamper (target) {
  const colon = target.lastIndexOf(':')
  const proxy = net.createServer(client => {
    const server = net.connect(Number(target.slice(colon + 1)), target.slice(0, colon))
    for (const socket of [client, server]) {
      socket.on('error', () => {})
      socket.on('close', () => { client.destroy(); server.destroy() })
    }
    client.pipe(server)
    let waiting = Buffer.alloc(0)
    server.on('data', chunk => {
      waiting = Buffer.concat([waiting, chunk])
      while (waiting.length >= HEADER) {
        const size = HEADER + waiting.readUIntBE(2, 6)
        if (waiting.length < size) break
        if (waiting[1] === MESSAGE) waiting[HEADER + GENERATION] += 1
        client.write(waiting.subarray(0, size))
        waiting = waiting.subarray(size)
      }
    })
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  return proxy
}

// It connects to one node, which must have all data.
const onOneNode = hosts().includes(',') ? test.skip : test

onOneNode('a server does not differ from itself', async () => {
  const { code, stdout, stderr } = await differential('--left', hosts(), '--right', hosts(), '--seed', '1', '--steps', '400')
  expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(/^No difference in \d+ steps \(seed 1\): .*\d+ put.*\n$/), stderr: '' })
  expect(code).toBe(0)
}, 120_000)

onOneNode('a difference is reported with its seed and the shortest history that shows it', async () => {
  const proxy = await tamper(hosts())
  try {
    const { code, stdout } = await differential('--left', hosts(), '--right', `127.0.0.1:${proxy.address().port}`, '--seed', '1', '--only', 'records')
    const [first, , ...lines] = stdout.split('\n')
    expect(first).toMatch(/^A difference: seed 1, records, history 0, step \d+\.$/)
    // A write and a command that returns its generation. Some commands do both.
    expect(lines.filter(line => /^ {2}\d+\. /.test(line)).length).toBeLessThanOrEqual(2)
    expect(lines.filter(line => /^ {2}(left|right) /.test(line))).toHaveLength(2)
    expect(code).toBe(1)
  } finally {
    proxy.close()
  }
}, 120_000)

test('invalid arguments are explained', async () => {
  const { code, stderr } = await differential('--left', 'nowhere')
  expect(stderr).toMatch(/^Usage: npm run differential/)
  expect(code).toBe(1)
})
