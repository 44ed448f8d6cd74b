'use strict'

// Nothing that is told of a store tells a session's id or data, a key, a password or an owner: not an error, with its
// stack and causes; not a warning, an event, an inspection of any object; not a line that is written, whatever debugging
// is turned on.

const path = require('node:path')
const { fork } = require('node:child_process')
const { once } = require('node:events')

/** Digits too, for what takes numbers; nothing else here has them. */
const SECRET = 'S3cr3t740193685'
const DIGITS = SECRET.replace(/\D/g, '')

/** The places a text has secrets in, with what is around them. */
function leaks (text, secrets) {
  return secrets.flatMap(secret => {
    const at = text.indexOf(secret)
    return at < 0 ? [] : [text.slice(Math.max(0, at - 200), at + 100)]
  })
}

test('a store tells no secrets, and Node.js and the core write none', async () => {
  const env = { ...process.env, NODE_DEBUG: '*', RUST_LOG: 'trace', RUST_BACKTRACE: 'full', DEBUG: '*' }
  const child = fork(path.join(__dirname, '../support/secret-leak-probe.js'), [SECRET], { env, silent: true, serialization: 'advanced' })
  let written = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { written += text })
  const said = {}
  child.on('message', message => Object.assign(said, message))
  const [code, signal] = await once(child, 'close')
  if (code !== 0) throw new Error(`ended with ${code ?? signal}: ${written.slice(-2_000)}`)

  const key = said.key.split('\n')[1]
  // What was told is what we looked for.
  expect(said.told.length).toBeGreaterThan(1_000)
  expect(said.codes.sort()).toEqual(expect.arrayContaining([
    'AUTH', 'BAD_DATA', 'BAD_KEY', 'BAD_OPTION', 'CLOSED', 'FORBIDDEN', 'NAMESPACE', 'OVERLOAD', 'SERVER', 'TIMEOUT', 'TLS', 'TOO_BIG', 'UNAVAILABLE'
  ]))
  const told = ['get', 'set', 'touch', 'destroy', 'save', 'delete', 'all', 'sessions', 'ids', 'sessionsOf', 'countOf', 'destroyOf']
  expect(said.followed).toEqual(expect.arrayContaining(told.flatMap(name => [`${name} start`, `${name} error`, `${name} asyncEnd`])))
  expect(written).toMatch(/^AEROSPIKE-SESSION \d+: get test\.sessions hit /m)
  // The options of a view are its own, and say where sessions are: a prefix is no secret.
  const secrets = [`${SECRET}-`, DIGITS, SECRET.toLowerCase(), Buffer.from(SECRET).toString('hex'), key]
  const texts = said.told.map(text => text.replaceAll(`${SECRET}-prefix`, 'prefix'))
  expect(texts.flatMap(text => leaks(text, secrets)).slice(0, 5)).toEqual([])
  // The command line of the child has the secret; node prints it with its own debugging on.
  const lines = written.split('\n').filter(line => !line.includes('telltale.js'))
  expect(leaks(lines.join('\n'), secrets)).toEqual([])
}, 60_000)
