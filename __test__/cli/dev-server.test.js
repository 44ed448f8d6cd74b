'use strict'

// `aerospike-session dev-server`, in its own process.

const fs = require('node:fs/promises')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const readline = require('node:readline')
const { spawn } = require('node:child_process')
const { once } = require('node:events')
const { SessionStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { version } = require('../../package.json')
const { except } = require('../support/runtime')

const CLI = path.join(__dirname, '../../bin/aerospike-session.js')

let folder

// Deno ends by the signal that the program has handled.
const exitsWith0 = except(['deno'], 'exit codes after signals')

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set()

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'aerospike-session-'))
})

afterAll(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await fs.rm(folder, { recursive: true })
})

function launch (args) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: folder, env: process.env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  return child
}

/** Runs the command line until it exits. */
async function run (...args) {
  const child = launch(args)
  const output = { out: '', err: '' }
  child.stdout.on('data', data => { output.out += data })
  child.stderr.on('data', data => { output.err += data })
  const [code] = await once(child, 'close')
  return { code, ...output }
}

/** Starts a dev server. Resolves when it prints that it is ready. */
async function serve (...args) {
  const child = launch(['dev-server', ...args])
  const exit = once(child, 'exit')
  const output = { err: '' }
  child.stderr.on('data', data => { output.err += data })
  const [line] = await once(readline.createInterface({ input: child.stdout }), 'line')
  const stop = async signal => {
    child.kill(signal)
    const [code, endedBy] = await exit
    return { code, endedBy }
  }
  return { line, output, hosts: /on (\S+:\d+),/.exec(line)[1], stop }
}

async function withSessions (hosts, use, options = {}) {
  const sessions = new SessionStore({ hosts, ...options })
  try {
    return await use(sessions)
  } finally {
    await sessions.close()
  }
}

/** Creates a data file with these sessions, in this order. */
async function fileWith (name, ids) {
  const data = path.join(folder, name)
  const server = await DevServer.start({ data })
  expect(server.warnings).toEqual([])
  await withSessions(server.hosts, async sessions => {
    for (const id of ids) await sessions.save(id, { text: id })
  })
  await server.stop()
  return data
}

/** Creates a data file with one damaged byte, in session `hit`. */
async function damagedFile (name) {
  const data = await fileWith(name, ['before', 'hit', 'after'])
  const bytes = await fs.readFile(data)
  bytes[bytes.indexOf('hit')] ^= 1
  await fs.writeFile(data, bytes)
  return data
}

describe('aerospike-session dev-server', () => {
  test('prints its address and purpose on one line', async () => {
    const server = await serve('--port', '0')
    expect(server.line).toMatch(/^Aerospike dev server on 127\.0\.0\.1:\d+, .*in memory only.*development and tests only/)
    await server.stop('SIGTERM')
  })

  exitsWith0('serves clients until SIGTERM or SIGINT, and then exits with 0', async () => {
    for (const signal of ['SIGTERM', 'SIGINT']) {
      const server = await serve('--port', '0')
      await withSessions(server.hosts, async sessions => {
        await sessions.save('a', { n: 1 })
        expect(await sessions.get('a')).toEqual({ n: 1 })
      })
      expect(await server.stop(signal)).toEqual({ code: 0, endedBy: null })
    }
  })

  exitsWith0('exits with 0 while clients are still connected', async () => {
    const server = await serve('--port', '0')
    await withSessions(server.hosts, async sessions => {
      await sessions.save('a', {})
      expect(await server.stop('SIGTERM')).toEqual({ code: 0, endedBy: null })
    })
  })

  test('listens on the given address', async () => {
    const probe = net.createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const port = String(probe.address().port)
    probe.close()
    await once(probe, 'close')
    const server = await serve('--host', '127.0.0.1', '--port', port)
    expect(server.hosts).toBe(`127.0.0.1:${port}`)
    await withSessions(server.hosts, sessions => sessions.ready())
    await server.stop('SIGTERM')
  })

  test('requires a login with --user or with a user from the environment', async () => {
    process.env.DEV_SERVER_USER = 'eve:pass:word'
    const server = await serve('--port', '0', '--user', 'ada:secret', '--user', 'bob:secret', '--session-ttl', '600')
    delete process.env.DEV_SERVER_USER
    for (const [user, password] of [['ada', 'secret'], ['bob', 'secret'], ['eve', 'pass:word']]) {
      await withSessions(server.hosts, sessions => sessions.ready(), { user, password })
    }
    await expect(withSessions(server.hosts, sessions => sessions.ready())).rejects.toMatchObject({ code: 'AUTH' })
    await server.stop('SIGTERM')
  })

  test.each(['tls', 'mutual-tls'])('speaks TLS with --%s, and writes the files for clients to --tls-dir', async option => {
    const directory = path.join(folder, option)
    const server = await serve('--port', '0', `--${option}`, '--tls-dir', directory)
    const pem = name => fs.readFile(path.join(directory, name), 'utf8')
    const own = option === 'tls' ? {} : { cert: await pem('cert.pem'), key: await pem('key.pem') }
    await withSessions(server.hosts, sessions => sessions.ready(), { tls: { ca: await pem('ca.pem'), ...own } })
    await expect(withSessions(server.hosts, sessions => sessions.ready())).rejects.toMatchObject({ code: 'TLS' })
    await server.stop('SIGTERM')
  })

  test.each(['SIGTERM', 'SIGKILL'])('keeps its sessions with --data after %s', async signal => {
    const data = path.join(folder, `${signal}.data`)
    const first = await serve('--port', '0', '--data', data)
    await withSessions(first.hosts, async sessions => {
      await sessions.save('kept', { user: 'Ада', n: 1 })
      await sessions.save('kept', { user: 'Ада', n: 2 })
      await sessions.save('deleted', {})
      await sessions.delete('deleted')
    })
    await first.stop(signal)

    const second = await serve('--port', '0', '--data', data)
    await withSessions(second.hosts, async sessions => {
      expect(await sessions.get('kept')).toEqual({ user: 'Ада', n: 2 })
      expect(await sessions.get('deleted')).toBeNull()
    })
    await second.stop('SIGTERM')
  })

  test('keeps a copy of a damaged file, reports it on standard error, and serves all other sessions', async () => {
    const data = await damagedFile('cli.data')
    const server = await serve('--port', '0', '--data', data)
    await withSessions(server.hosts, async sessions => {
      expect(await sessions.get('before')).toEqual({ text: 'before' })
      expect(await sessions.get('after')).toEqual({ text: 'after' })
      expect(await sessions.get('hit')).toBeNull()
    })
    await server.stop('SIGTERM')
    expect(server.output.err).toMatch(/^aerospike-session: data file .* is damaged: \d+ bytes at offset \d+ could not be read.*\n$/)
    expect(server.output.err).toContain(`${data}.damaged-1`)

    const again = await serve('--port', '0', '--data', data)
    await withSessions(again.hosts, async sessions => expect(await sessions.get('after')).toEqual({ text: 'after' }))
    await again.stop('SIGTERM')
    expect(again.output.err).toBe('')
  })

  test('does not report an incomplete end of the file after a crash as damage', async () => {
    const data = await fileWith('torn.data', ['first', 'last'])
    const { size } = await fs.stat(data)
    await fs.truncate(data, size - 5)
    const server = await serve('--port', '0', '--data', data)
    await withSessions(server.hosts, async sessions => {
      expect(await sessions.get('first')).toEqual({ text: 'first' })
      expect(await sessions.get('last')).toBeNull()
    })
    await server.stop('SIGTERM')
    expect(server.output.err).toBe('')
    await expect(fs.stat(`${data}.damaged-1`)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('is a cluster with --nodes that survives the loss of any node', async () => {
    const server = await serve('--port', '0', '--nodes', '3', '--replication-factor', '3')
    expect(server.hosts.split(',')).toHaveLength(3)
    const [last] = server.hosts.split(',').reverse()
    await withSessions(server.hosts, sessions => sessions.save('a', { n: 1 }))
    expect(await withSessions(last, sessions => sessions.get('a'))).toEqual({ n: 1 })
    await server.stop('SIGTERM')
  })

  test('starts empty without --data', async () => {
    const first = await serve('--port', '0')
    await withSessions(first.hosts, sessions => sessions.save('a', {}))
    await first.stop('SIGTERM')
    const second = await serve('--port', '0')
    expect(await withSessions(second.hosts, sessions => sessions.get('a'))).toBeNull()
    await second.stop('SIGTERM')
  })

  test('rejects new sessions when --memory is full, and keeps the stored ones', async () => {
    const server = await serve('--port', '0', '--memory', '1m')
    await withSessions(server.hosts, async sessions => {
      const text = 'x'.repeat(100_000)
      let saved = 0
      let error
      while (error === undefined && saved < 100) error = await sessions.save(String(saved), { text }).then(() => { saved++ }, error => error)
      expect(error).toMatchObject({ resultCode: 8 })
      expect(saved).toBe(8)
      expect(await sessions.get('0')).toEqual({ text })
    })
    await server.stop('SIGTERM')
  })

  test('exits with 1 and a message if its port is in use', async () => {
    const holder = net.createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address()
    const { code, out, err } = await run('dev-server', '--port', String(port))
    holder.close()
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/^aerospike-session: .*\n$/)
    expect(err).toContain(`127.0.0.1:${port}`)
    expect(err).toMatch(/in use/i)
  })

  test('exits with 1 and a message if its file cannot be opened', async () => {
    const { code, out, err } = await run('dev-server', '--port', '0', '--data', folder)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/^aerospike-session: .*\n$/)
    expect(err).toContain(folder)
  })
})

describe('aerospike-session fault', () => {
  test('sets, lists and clears faults of a running server', async () => {
    const server = await serve('--port', '0')
    const set = await run('fault', server.hosts, 'code code=KEY_BUSY times=1 on=read,write', 'freeze')
    expect(set).toEqual({ code: 0, err: '', out: '1: code on=read,write times=1 code=14 (struck 0)\n2: freeze (struck 0)\n' })
    expect((await run('fault', server.hosts, '--list')).out).toBe(set.out)
    expect(await run('fault', server.hosts, '--clear')).toEqual({ code: 0, out: '', err: '' })
    expect(await run('fault', server.hosts, '--list')).toEqual({ code: 0, out: '', err: '' })
    await run('fault', server.hosts, 'code code=22 on=read')
    await withSessions(server.hosts, async sessions => {
      await expect(sessions.get('a')).rejects.toMatchObject({ code: 'FORBIDDEN' })
      await sessions.save('a', { n: 1 })
    })
    expect((await run('fault', server.hosts, '--list')).out).toBe('3: code on=read code=22 (struck 1)\n')
    await server.stop('SIGTERM')
  })

  test('dev-server --fault starts with the fault', async () => {
    const server = await serve('--port', '0', '--fault', 'latency ms=1 on=any', '--fault', 'code code=18 probability=1 seed=7')
    const { out } = await run('fault', server.hosts, '--list')
    expect(out).toMatch(/^1: latency on=read,.*,login ms=1 \(struck 0\)\n2: code probability=1 seed=7 code=18 \(struck 0\)\n$/)
    await server.stop('SIGTERM')
  })

  test.each([
    [['fault'], 'HOST:PORT'],
    [['fault', 'localhost'], 'HOST:PORT'],
    [['fault', 'HERE'], 'takes either faults'],
    [['fault', 'HERE', '--list', '--clear'], 'takes either faults'],
    [['fault', 'HERE', 'drop', '--fault', 'drop'], 'belongs to the command dev-server'],
    [['fault', 'HERE', 'drop', 'ms=3'], 'starts with its kind'],
    [['fault', 'HERE', 'drop times'], "'times' in a fault must be a name=value"],
    [['fault', 'HERE', 'drop times=x'], "'times' in a fault must be a number"],
    [['fault', 'HERE', 'drop times=1 times=2'], 'twice'],
    [['fault', 'HERE', 'melt'], 'unknown variant `melt`'],
    [['fault', 'HERE', 'latency'], "needs 'ms'"],
    [['fault', 'HERE', 'drop node=7'], 'no node 7'],
    [['dev-server', '--port', '0', '--fault', 'drop tims=3'], 'unknown field `tims`'],
    [['dev-server', '--port', '0', '--fault', 'drop times'], 'must be a name=value'],
    [['dev-server', '--port', '0', '--list'], 'belong to the command fault']
  ])('exits with 2 and a message for %j', async (args, words) => {
    const server = await serve('--port', '0')
    const { code, out, err } = await run(...args.map(arg => arg === 'HERE' ? server.hosts : arg))
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(/^aerospike-session: .*\n$/)
    expect(err).toContain(words)
    expect((await run('fault', server.hosts, '--list')).out).toBe('')
    await server.stop('SIGTERM')
  })

  test('exits with 1 and a message if there is no dev server', async () => {
    const nobody = await serve('--port', '0')
    await nobody.stop('SIGTERM')
    const babble = net.createServer(socket => { socket.on('error', () => {}); socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') })
    babble.listen(0, '127.0.0.1')
    await once(babble, 'listening')
    for (const [where, words] of [[nobody.hosts, 'ECONNREFUSED'], [`127.0.0.1:${babble.address().port}`, 'does not speak']]) {
      const { code, out, err } = await run('fault', where, '--list')
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toMatch(/^aerospike-session: .*\n$/)
      expect(err).toContain(words)
    }
    babble.close()
  })
})

test('keeps a damaged data file, and reports it in DevServer.warnings and as a process warning', async () => {
  const data = await damagedFile('api.data')
  const damaged = await fs.readFile(data)
  const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const server = await DevServer.start({ data })
  expect(server.warnings).toHaveLength(1)
  const [message] = server.warnings
  expect(message).toMatch(/^data file .* is damaged: \d+ bytes at offset \d+ could not be read, and the changes in them are lost\./)
  expect(message).toContain(`kept as ${data}.damaged-1`)
  expect(warned.mock.calls).toEqual([[message, { type: 'AerospikeSessionWarning', code: 'DATA_DAMAGED' }]])
  warned.mockRestore()
  expect(await fs.readFile(`${data}.damaged-1`)).toStrictEqual(damaged)
  await withSessions(server.hosts, async sessions => {
    expect(await sessions.get('before')).toEqual({ text: 'before' })
    expect(await sessions.get('after')).toEqual({ text: 'after' })
    expect(await sessions.get('hit')).toBeNull()
  })
  await server.stop()
})

test('a dev server without references keeps running', async () => {
  const program = `
    const { DevServer } = require(${JSON.stringify(require.resolve('../../exports/dev-server'))})
    const net = require('node:net')
    DevServer.start().then(({ port }) => setTimeout(() => {
      gc()
      setTimeout(() => net.connect(port, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(1)), 50)
    }, 50))`
  const child = spawn(process.execPath, ['--expose-gc', '-e', program])
  expect((await once(child, 'exit'))[0]).toBe(0)
})

describe('aerospike-session', () => {
  test('prints its usage and its version', async () => {
    const help = await run('--help')
    expect(help).toMatchObject({ code: 0, err: '' })
    for (const command of ['dev-server', 'fault', 'doctor', 'sessions', 'help']) expect(help.out).toMatch(new RegExp(`^  ${command}\\b`, 'm'))
    expect((await run('help', 'dev-server')).out).toContain('aerospike-session dev-server [options]')
    expect(await run('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })

  test.each([
    [[], 'a command is missing'],
    [['serve'], "'serve' is no command"],
    [['dev-server', 'now'], "no argument 'now'"],
    [['dev-server', '--nope'], "'--nope'"],
    [['dev-server', '--port'], '--port'],
    [['dev-server', '--port', 'abc'], '--port takes a number'],
    [['dev-server', '--port', '65536'], '--port takes a number'],
    [['dev-server', '--nodes', '9'], '--nodes takes a number from 1 to 8'],
    [['dev-server', '--nodes', '0'], '--nodes takes a number from 1 to 8'],
    [['dev-server', '--port', '-1'], '--port'],
    [['dev-server', '--host', 'localhost'], 'IP address'],
    [['dev-server', '--memory', 'much'], "option 'memory' must be a size"],
    [['dev-server', '--memory', '1000k'], "option 'memory' must be a size"],
    [['dev-server', '--user', 'ada'], 'NAME:PASSWORD'],
    [['dev-server', '--session-ttl', '0'], '--session-ttl takes a number'],
    [['dev-server', '--tls'], '--tls-dir'],
    [['dev-server', '--tls-dir', 'any'], '--tls-dir']
  ])('exits with 2 and a message for %j', async (args, words) => {
    const { code, out, err } = await run(...args)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(/^aerospike-session: .*\n$/)
    expect(err).toContain(words)
  })
})
