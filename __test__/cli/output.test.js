'use strict'

// The command line if its output is not read to the end or cannot be written.

const fs = require('node:fs')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { AerospikeStore } = require('../..')
const { CLI, ended, launch, run } = require('../support/cli')
const { open, start } = require('../support/opened')

/** Runs a command with another standard output. Returns its exit code and its standard error. */
async function runInto (kind, args) {
  const full = kind === 'a full device' ? fs.openSync('/dev/full', 'w') : undefined
  const child = spawn(process.execPath, [CLI, ...args], { env: { PATH: process.env.PATH }, stdio: ['ignore', full ?? 'pipe', 'pipe'] })
  // The reader closes the pipe before anything is written.
  child.stdout?.destroy()
  let errorOutput = ''
  child.stderr.setEncoding('utf8').on('data', data => { errorOutput += data })
  const [code] = await once(child, 'close')
  if (full !== undefined) fs.closeSync(full)
  return { code, errorOutput }
}

const FAULTS = ['latency ms=1', 'overload times=1', 'code code=9 times=1', 'drop times=1', 'reset times=1']

/** Starts a dev server with a session, and returns commands that succeed there. */
async function site () {
  const server = await start()
  const store = open(server, { storeIds: true, user: 'user' }, AerospikeStore)
  for (let n = 0; n < 500; n++) await store.set(`session-${n}`, { cookie: { path: '/' }, user: 'ada' })
  const at = ['--hosts', server.hosts]
  const commands = {
    help: ['--help'],
    version: ['--version'],
    'doctor --help': ['doctor', '--help'],
    'sessions --help': ['sessions', '--help'],
    'sessions count': ['sessions', 'count', ...at],
    'sessions count --of': ['sessions', 'count', '--of', 'ada', '--json', ...at],
    'sessions list': ['sessions', 'list', ...at],
    'sessions list --json': ['sessions', 'list', '--json', ...at],
    'sessions destroy-user': ['sessions', 'destroy-user', 'nobody', ...at],
    'fault --list': ['fault', server.hosts, '--list'],
    'fault --clear': ['fault', server.hosts, '--clear']
  }
  return { server, at, commands }
}

test('a pipe that closes early changes no exit code and prints no error', async () => {
  const { commands } = await site()
  for (const [name, args] of Object.entries(commands)) {
    const { errorOutput, ...outcome } = await runInto('a closed pipe', args)
    expect([name, outcome]).toStrictEqual([name, { code: 0 }])
    expect(errorOutput).not.toMatch(/EPIPE|\bError\b|\n {4}at /)
  }
}, 60_000)

const hasFullDevice = fs.existsSync('/dev/full')
const whereFull = hasFullDevice ? test : test.skip

whereFull('a full device is exit code 3, in one sentence', async () => {
  const { commands } = await site()
  for (const [name, args] of Object.entries(commands)) {
    // These commands print nothing.
    if (['fault --clear', 'fault --list'].includes(name)) continue
    const { code, errorOutput } = await runInto('a full device', args)
    expect([name, code]).toStrictEqual([name, 3])
    expect(errorOutput).toMatch(/^aerospike-session: the output cannot be written: ENOSPC.*\n/m)
    expect(errorOutput).not.toMatch(/\n {4}at /)
  }
}, 60_000)

test.each(['a closed pipe', ...(hasFullDevice ? ['a full device'] : [])])('sends all faults with %s as output', async kind => {
  const { server } = await site()
  const { code } = await runInto(kind, ['fault', server.hosts, ...FAULTS])
  expect(code).toBe(kind === 'a full device' ? 3 : 0)
  expect((await server.faults()).map(({ kind }) => kind)).toStrictEqual(FAULTS.map(fault => fault.split(' ')[0]))
  expect((await runInto(kind, ['fault', server.hosts, '--list'])).code).toBe(code)
})

test.each([[[], 0], [['--namespace', 'none'], 1]])('the doctor has the same exit code with a closed pipe (%j)', async (more, code) => {
  const { at } = await site()
  for (const format of [[], ['--json']]) {
    const args = ['doctor', ...at, '--rounds', '2', ...more, ...format]
    expect((await run(args)).code).toBe(code)
    expect(await runInto('a closed pipe', args)).toStrictEqual({ code, errorOutput: expect.not.stringContaining('EPIPE') })
  }
}, 60_000)

whereFull('a doctor whose words are lost does not say that there are problems', async () => {
  const { at } = await site()
  expect((await runInto('a full device', ['doctor', ...at, '--rounds', '2'])).code).toBe(3)
})

test('a dev server keeps running if its output is not read', async () => {
  const child = launch(process.execPath, [CLI, 'dev-server', '--port', '0'])
  child.stdout.destroy()
  await new Promise(resolve => setTimeout(resolve, 700))
  expect([child.exitCode, child.signalCode]).toStrictEqual([null, null])
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
})

test('a reader such as head gets the part that it reads', async () => {
  const { at } = await site()
  const child = launch('sh', ['-c', `'${process.execPath}' '${CLI}' sessions list ${at.join(' ')} | head -n 2`])
  child.stdin.end()
  const { code, out, err } = await ended(child)
  expect([code, out.split('\n').length, err]).toStrictEqual([0, 3, ''])
})

describe('exits with 2 for a mistake in the command line:', () => {
  const HOSTS = ['--hosts', '127.0.0.1:9', '--timeout', '50', '--connect-timeout', '50']
  const long = 'u'.repeat(2_049)

  test.each([
    ['fault 127.0.0.1:99999', ['fault', '127.0.0.1:99999', '--list']],
    ['fault 127.0.0.1:65536', ['fault', '127.0.0.1:65536', 'overload']],
    ['fault 127.0.0.1:0', ['fault', '127.0.0.1:0', '--clear']],
    ['fault 127.0.0.1', ['fault', '127.0.0.1', '--clear']],
    ['fault ""', ['fault', '', '--clear']],
    ['sessions count --of ""', ['sessions', 'count', '--of', '', ...HOSTS]],
    ['sessions count --of a name that is too long', ['sessions', 'count', '--of', long, ...HOSTS]],
    ['sessions destroy-user ""', ['sessions', 'destroy-user', '', ...HOSTS]],
    ['sessions destroy-user with a name that is too long', ['sessions', 'destroy-user', long, ...HOSTS]],
    ['doctor --hosts ""', ['doctor', '--hosts', ':']],
    ['doctor --hosts a:99999', ['doctor', '--hosts', 'a:99999']],
    ['doctor --set ""', ['doctor', '--set', '', ...HOSTS]],
    ['doctor --rounds 0', ['doctor', '--rounds', '0', ...HOSTS]],
    ['doctor --timeout 0', ['doctor', '--hosts', 'a', '--timeout', '0']]
  ])('%s', async (_, args) => {
    const { code, out, err } = await run(args)
    expect([code, out]).toStrictEqual([2, ''])
    expect(err).toMatch(/^aerospike-session: .+ \(see --help\)\n$/)
  })
})
