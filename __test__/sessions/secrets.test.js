'use strict'

// No output of a store contains a session's id or data, a key, a password or an owner: neither errors with stack and causes, nor
// warnings, events, inspected objects, or lines that are written with any kind of debugging.

const path = require('node:path')
const { fork } = require('node:child_process')
const { once } = require('node:events')

/** Digits as well, for numeric values. Nothing else here contains them. */
const SECRET = 'S3cr3t740193685'
const DIGITS = SECRET.replace(/\D/g, '')

/** Returns where a text contains secrets, with the text around them. */
function leaks (text, secrets) {
  return secrets.flatMap(secret => {
    const at = text.indexOf(secret)
    return at < 0 ? [] : [text.slice(Math.max(0, at - 200), at + 100)]
  })
}

test('a store reports no secrets, and Node.js and the core write none', async () => {
  const env = { ...process.env, NODE_DEBUG: '*', RUST_LOG: 'trace', RUST_BACKTRACE: 'full', DEBUG: '*' }
  const child = fork(path.join(__dirname, '../support/secret-leak-probe.js'), [SECRET], { env, silent: true, serialization: 'advanced' })
  let written = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { written += text })
  const probe = {}
  child.on('message', message => Object.assign(probe, message))
  const [code, signal] = await once(child, 'close')
  if (code !== 0) throw new Error(`ended with ${code ?? signal}: ${written.slice(-2_000)}`)

  const key = probe.key.split('\n')[1]
  // Checks that everything was covered.
  expect(probe.allReports.length).toBeGreaterThan(1_000)
  expect(probe.codes.sort()).toEqual(expect.arrayContaining([
    'AUTH', 'BAD_DATA', 'BAD_KEY', 'BAD_OPTION', 'CLOSED', 'FORBIDDEN', 'NAMESPACE', 'OVERLOAD', 'SERVER', 'TIMEOUT', 'TLS', 'TOO_BIG', 'UNAVAILABLE'
  ]))
  const calledMethods = ['get', 'set', 'touch', 'destroy', 'save', 'delete', 'all', 'sessions', 'ids', 'sessionsOf', 'countOf', 'destroyOf', 'destroyByDigest']
  expect(probe.followed).toEqual(expect.arrayContaining(calledMethods.flatMap(name => [`${name} start`, `${name} error`, `${name} asyncEnd`])))
  expect(written).toMatch(/^AEROSPIKE-SESSION \d+: get test\.sessions hit /m)
  // The options of a view say where sessions are. A prefix is not secret.
  const secrets = [`${SECRET}-`, DIGITS, SECRET.toLowerCase(), Buffer.from(SECRET).toString('hex'), key]
  const texts = probe.allReports.map(text => text.replaceAll(`${SECRET}-prefix`, 'prefix'))
  expect(texts.flatMap(text => leaks(text, secrets)).slice(0, 5)).toEqual([])
  // The child's command line contains the secret, and Node.js prints it with its own debugging.
  const lines = written.split('\n').filter(line => !line.includes('secret-leak-probe.js'))
  expect(leaks(lines.join('\n'), secrets)).toEqual([])
}, 60_000)
