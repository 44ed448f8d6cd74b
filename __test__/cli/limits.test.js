'use strict'

// `aerospike-session limits …`, in its own process.

const { SessionStore } = require('../..')
const { RateLimiter } = require('../../exports/rate-limit')
const { run } = require('../support/cli')
const { freshSet, hosts } = require('../support/server')

const set = freshSet()
const LIMIT = ['--limit', '5', '--window', '60']
let client

beforeAll(() => { client = new SessionStore({ hosts: hosts() }) })
afterAll(() => client.close())

const limiter = (prefix, options) => new RateLimiter({ client, set, prefix, limit: 5, window: 60, ...options })
const limits = (...args) => run(['limits', args[0], ...args.slice(1), '--hosts', hosts(), '--set', set])

test('peek shows what is left of a key, and consumes nothing', async () => {
  const byName = limiter('name:')
  expect(await limits('peek', 'ada', '--prefix', 'name:', ...LIMIT)).toEqual({ code: 0, out: '5 of 5 points left\n', err: '' })
  await byName.consume('ada', 2)
  for (let n = 0; n < 2; n++) {
    expect((await limits('peek', 'ada', '--prefix', 'name:', ...LIMIT)).out).toMatch(/^3 of 5 points left, all of them at \d{4}-\d\d-\d\dT\S+Z\n$/)
  }
  expect((await limits('peek', 'ada', ...LIMIT)).out).toBe('5 of 5 points left\n')
  await byName.consume('ada', 3)
  expect((await limits('peek', 'ada', '--prefix', 'name:', ...LIMIT)).out).toMatch(/^0 of 5 points left: refused for \d+ s\n$/)
  const { out } = await limits('peek', 'ada', '--prefix', 'name:', ...LIMIT, '--json')
  expect(JSON.parse(out)).toEqual({ allowed: false, remaining: 0, resetAt: expect.stringMatching(/Z$/), retryAfter: expect.any(Number) })
})

test('peek knows sliding windows', async () => {
  await limiter('sliding:', { type: 'sliding' }).consume('ada', 4)
  expect((await limits('peek', 'ada', '--prefix', 'sliding:', '--sliding', ...LIMIT)).out).toMatch(/^1 of 5 points left, /)
})

test('reset gives a key all points again, and with --dry-run only says so', async () => {
  const locked = limiter('locked:')
  await locked.consume('ada', 5)
  expect(await limits('reset', 'ada', '--prefix', 'locked:', '--dry-run')).toEqual({ code: 0, out: 'the counter of the key would be removed\n', err: '' })
  expect((await locked.consume('ada')).allowed).toBe(false)
  expect((await limits('reset', 'ada', '--prefix', 'locked:', '--json')).out).toBe('{"reset":true}\n')
  expect((await locked.consume('ada')).allowed).toBe(true)
  for (const [args, out] of [[[], 'the key has no counter\n'], [['--dry-run'], 'the key has no counter\n'], [['--json'], '{"reset":false}\n']]) {
    expect((await limits('reset', 'grace', '--prefix', 'locked:', ...args)).out).toBe(out)
  }
})

test('finds the keys of a client with hashIds by its secret', async () => {
  const secret = 'a secret of thirty-two characters'
  const hashed = new SessionStore({ hosts: hosts(), hashIds: secret })
  try {
    await new RateLimiter({ client: hashed, set, prefix: 'hashed:', limit: 5, window: 60 }).consume('ada', 5)
    const args = ['limits', 'peek', 'ada', '--hosts', hosts(), '--set', set, '--prefix', 'hashed:', ...LIMIT]
    expect((await run(args)).out).toBe('5 of 5 points left\n')
    expect((await run([...args, '--hash-ids'], { env: { AEROSPIKE_HASH_IDS: secret } })).out).toMatch(/^0 of 5 points left/)
  } finally {
    await hashed.close()
  }
})

test.each([
  [['peek', 'ada', '--window', '60'], /peek needs --limit/],
  [['peek', 'ada', '--limit', '5'], /peek needs --window/],
  [['peek', ...LIMIT], /peek needs a key/],
  [['peek', 'ada', 'grace', ...LIMIT], /peek takes no argument 'grace'/],
  [['peek', 'ada', '--limit', 'five', '--window', '60'], /limit/],
  [['reset'], /reset needs a key/],
  [['reset', 'ada', '--sliding'], /--sliding belongs to peek/],
  [['forget', 'ada'], /'forget' is nothing limits can do: there are peek and reset/],
  [[], /limits needs a command: peek or reset/]
])('%j is refused', async (args, message) => {
  expect(await run(['limits', ...args])).toEqual({ code: 2, out: '', err: expect.stringMatching(message) })
})
