'use strict'

// The same requests to two apps, one of them with express-session's MemoryStore. If requests are sent one after the other, both
// stores behave the same.

const { setTimeout: pass } = require('node:timers/promises')
const fc = require('fast-check')
const { MemoryStore } = require('express-session')
const { openStore } = require('../support/server')
const { serve, Visitor } = require('../support/http')

const MINUTE = 60_000

/** Calls a method of a session. Returns a promise. */
const call = (session, method) => new Promise((resolve, reject) => {
  session[method](error => error ? reject(error) : resolve())
})

/** The handlers of the apps' pages. */
const clicks = {
  look: req => {},
  visit: req => { req.session.visits = (req.session.visits ?? 0) + 1 },
  nest: req => { req.session.cart = { items: [...(req.session.cart?.items ?? []), { sku: 'a', n: 1.5, none: null, not: undefined }], at: new Date(0) } },
  drop: req => { delete req.session.cart; delete req.session.visits },
  login: async req => { await call(req.session, 'regenerate'); req.session.user = 'ada'; await call(req.session, 'save') },
  renew: req => call(req.session, 'regenerate'),
  logout: req => call(req.session, 'destroy'),
  logoutAtOnce: req => { req.session.destroy() },
  save: async req => { req.session.saved = true; await call(req.session, 'save') },
  saveAndChange: async req => { await call(req.session, 'save'); req.session.saved = 'and changed'; await call(req.session, 'save'); delete req.session.saved },
  saveAtOnce: req => { req.session.hasty = true; req.session.save() },
  reload: async req => { req.session.visits = 'not saved'; await call(req.session, 'reload') },
  touch: req => { req.session.touch() },
  unset: req => { req.session = null },
  remove: req => { delete req.session },
  remember: req => { req.session.cookie.maxAge = 60 * MINUTE },
  rememberAndVisit: req => { req.session.cookie.maxAge = 30 * MINUTE; clicks.visit(req) },
  until: req => { req.session.cookie.expires = new Date(Date.now() + 90 * MINUTE) },
  browserOnly: req => { req.session.cookie.expires = false },
  forgetMaxAge: req => { req.session.cookie.maxAge = null },
  attributes: req => { Object.assign(req.session.cookie, { sameSite: 'lax', httpOnly: false, priority: 'high' }) },
  expire: req => { req.session.cookie.maxAge = 0 },
  expired: req => { req.session.cookie.maxAge = -20_000 },
  // Not `toString`: with a MemoryStore the next request that saves deletes such a key, see frameworks/hidden-keys.test.js.
  odd: req => { Object.assign(req.session, { '': 1, 'a.b': { '': [] }, $x: '\ud800', 'ключ 😀': 'ё', 12: 'twelve' }) },
  fail: req => { throw new Error('a page that fails') }
}

function pages (app) {
  app.get('/:click', async (req, res) => {
    await clicks[req.params.click](req)
    const { cookie, ...data } = req.session ?? {}
    res.json({ session: req.session ? 'one' : String(req.session), data, maxAge: about(cookie?.maxAge), original: about(cookie?.originalMaxAge) })
  })
}

/** Rounds milliseconds to what two stores can agree on. */
function about (ms) {
  return typeof ms === 'number' ? Math.round(ms / 10_000) * 10_000 + 0 : ms
}

/** Replaces `expires` of a cookie, from JSON or a header, with the time left. */
function comparable (cookie) {
  if (!cookie) return cookie
  const { expires, originalMaxAge, ...rest } = cookie
  return { ...rest, originalMaxAge: about(originalMaxAge), left: expires ? about(new Date(expires) - Date.now()) : expires }
}

/** A visitor that records what the last answer did to its session cookie. */
class Witness extends Visitor {
  async get (path) {
    const before = this.cookies.get('connect.sid')?.value
    this.cookies.set = (name, cookie) => { this.given = { name, ...cookie }; return Map.prototype.set.call(this.cookies, name, cookie) }
    this.given = undefined
    const { status, body } = await super.get(path)
    const { given } = this
    return { status, body, setCookie: given && { changed: given.value !== before, left: given.expires && about(given.expires - Date.now()) } }
  }

  /** Returns the session id in the visitor's cookie. */
  get sid () {
    const value = this.cookies.get('connect.sid')?.value
    const signed = value && decodeURIComponent(value).slice(2)
    return signed?.slice(0, signed.lastIndexOf('.'))
  }
}

const promised = (store, method, ...args) => new Promise((resolve, reject) => {
  store[method](...args, (error, value) => error ? reject(error) : resolve(value))
})

/** Returns the stored session. */
async function stored (store, sid) {
  const found = sid && await promised(store, 'get', sid)
  return found ? { ...found, cookie: comparable(found.cookie) } : null
}

/**
 * Returns what two visitors see of an app after each request, the stored sessions after each, and from time to time the
 * number of sessions. A number in the script is a time to wait, in milliseconds.
 */
async function clickThrough (store, script, options) {
  const app = await serve(store, pages, typeof options === 'function' ? options() : options)
  try {
    const visitors = [new Witness(app.url), new Witness(app.url)]
    const known = [[], []]
    const seen = []
    for (const [n, step] of script.entries()) {
      if (typeof step === 'number') {
        await pass(step)
        continue
      }
      const [click, who] = Array.isArray(step) ? step : [step, 0]
      const answer = await visitors[who].get(`/${click}`)
      if (!known[who].includes(visitors[who].sid)) known[who].push(visitors[who].sid)
      seen.push({
        click,
        who,
        answer,
        stored: await Promise.all(known[who].map(sid => stored(store, sid))),
        length: n % 12 === 8 || n === script.length - 1 ? await promised(store, 'length') : undefined
      })
    }
    return { seen, errors: app.errors.map(({ message, code }) => ({ message, code })) }
  } finally {
    await app.stop()
  }
}

/** Runs a script on both stores and compares them. Returns the answers for further checks. */
async function compare (store, script, options) {
  const [ours, theirs] = await Promise.all([
    clickThrough(store, script, options),
    clickThrough(new MemoryStore(), script, options)
  ])
  expect(ours).toStrictEqual(theirs)
  return theirs.seen
}

/** Clears the store between scripts, because `length` is compared. */
function clearedStore (options) {
  // Each session() middleware of each test adds a listener.
  const store = openStore(options).setMaxListeners(0)
  beforeEach(() => store.clear())
  return store
}

const COOKIES = {
  'no maxAge': {},
  'a maxAge': { maxAge: 10 * MINUTE },
  'maxAge: null': { maxAge: null },
  'expires: false': { expires: false },
  'a fixed end': { get expires () { return new Date(Date.now() + 20 * MINUTE) } },
  'every attribute': { maxAge: 10 * MINUTE, path: '/', httpOnly: false, sameSite: 'strict', priority: 'low', partitioned: true, domain: 'example.org' }
}
const YES_NO = [false, true]
const SWITCHES = YES_NO.flatMap(rolling => YES_NO.flatMap(resave => YES_NO.flatMap(saveUninitialized =>
  [undefined, 'destroy'].map(unset => ({ rolling, resave, saveUninitialized, unset })))))

describe('like MemoryStore', () => {
  const store = clearedStore()
  const script = [
    'look', 'look', 'visit', 'look', 'visit', 'nest', 'look', 'save', 'saveAndChange', 'reload', 'touch', 'drop', 'look', 'odd', 'look',
    'remember', 'look', 'rememberAndVisit', 'look', 'attributes', 'look', 'until', 'look', 'browserOnly', 'look', 'forgetMaxAge', 'look',
    ['look', 1], ['login', 1], ['look', 1], 'login', 'look', 'login', 'visit', 'renew', 'look', 'visit', 'saveAtOnce', 'look', 'logout', 'look', 'logout', 'visit',
    'unset', 'look', 'visit', 'remove', 'look', 'visit', 'logoutAtOnce', 'look', 'visit', 'expire', 'look', 'visit', 'expired', 'look',
    'fail', 'visit', 'fail', 'look', ['visit', 1], ['expire', 1], ['login', 1], ['logout', 1]
  ]

  test.each(SWITCHES.flatMap(switches => ['no maxAge', 'a maxAge'].map(cookie => [JSON.stringify(switches), cookie, switches])))(
    'go all the clicks with %s and %s', async (_, cookie, switches) => {
      const seen = await compare(store, script, { ...switches, cookie: COOKIES[cookie] })
      // The script must cover each of them.
      const setCookies = seen.filter(({ answer }) => answer.setCookie !== undefined).length
      expect(setCookies).toBeGreaterThan(switches.rolling ? 40 : 5)
      expect(Math.max(...seen.map(({ length = 0 }) => length))).toBeGreaterThan(1)
    })

  test.each(Object.keys(COOKIES))('answers all requests with a cookie of %s', async cookie => {
    await compare(store, script, { cookie: COOKIES[cookie], rolling: true })
  })

  test('answers any sequence of requests', async () => {
    const names = Object.keys(clicks)
    await fc.assert(fc.asyncProperty(
      fc.constantFrom(...SWITCHES),
      fc.constantFrom(...Object.keys(COOKIES)),
      fc.array(fc.tuple(fc.constantFrom(...names), fc.nat(1)), { minLength: 2, maxLength: 12 }),
      async (switches, cookie, script) => {
        await store.clear()
        await compare(store, script, { ...switches, cookie: COOKIES[cookie] })
      }
    ), { numRuns: 60 })
  })
})

describe('like MemoryStore, a session', () => {
  const store = clearedStore()

  test.each(YES_NO)('expires maxAge after the last request, with rolling: %p', async rolling => {
    const seen = await compare(store, ['visit', 400, 'look', 400, 'look', 900, 'look', 'visit'], { rolling, cookie: { maxAge: 700 } })
    expect(seen.map(({ answer }) => answer.body.data.visits)).toStrictEqual([1, 1, 1, undefined, 1])
  })

  test('expires maxAge after it was last written or read, whatever the browser was sent', async () => {
    const seen = await compare(store, ['visit', 400, 'visit', 400, 'visit', 900, 'visit'], { cookie: { maxAge: 700 }, resave: true })
    expect(seen.map(({ answer }) => answer.body.data.visits)).toStrictEqual([1, 2, 3, 1])
  })

  test('expires after a changed cookie.maxAge, from that request on', async () => {
    const seen = await compare(store, ['visit', 'remember', 700, 'look', 'visit', 'look'], { cookie: { maxAge: 500 } })
    expect(seen.map(({ answer }) => answer.body.data.visits)).toStrictEqual([1, 1, 1, 2, 2])
    expect(seen.map(({ answer }) => answer.body.original)).toStrictEqual([0, 60 * MINUTE, 60 * MINUTE, 60 * MINUTE, 60 * MINUTE])
    expect(seen[4].stored[0].cookie.left).toBe(60 * MINUTE)
  })

  test('without maxAge has no expiry in its cookie', async () => {
    const seen = await compare(store, ['visit', 'look', 'visit', 'look'], { cookie: {}, rolling: true })
    for (const { answer, stored: [session] } of seen) {
      expect(answer.setCookie.left).toBeUndefined()
      expect(session.cookie).toStrictEqual({ originalMaxAge: null, httpOnly: true, path: '/', left: null })
    }
  })

  test.each([
    ['destroy', [null, 'object'], 0],
    ['keep', ['object', 'object'], 1]
  ])('that is set to null with unset: %p', async (unset, kept, length) => {
    for (const click of ['unset', 'remove']) {
      await store.clear()
      const seen = await compare(store, ['visit', click, 'look'], { unset })
      expect(seen[1].stored.map(found => found && typeof found)).toStrictEqual(kept.slice(0, 1))
      expect(seen[2].length).toBe(length)
    }
  })
})

describe('like MemoryStore, a session id', () => {
  const store = clearedStore()
  const script = ['look', 'visit', 'look', 'nest', 'remember', 'look', ['visit', 1], 'logout', 'look', ['look', 1], 'visit', 'login', 'look', 'renew', 'visit']
  const odd = {
    'with a NUL': n => `a\0${n}`,
    'of NULs': n => '\0'.repeat(n),
    'of emoji': n => `👩‍🚀🏳️‍🌈 ${n}`,
    'of spaces': n => ' '.repeat(n),
    'with spaces around': n => ` a b ${n} `,
    'with line breaks': n => `a\r\n\t${n}`,
    'with what cookies are made of': n => `a=b; c="d", %3A s:${n}.x`,
    'with dots and a signature': n => `s:${n}.${'A'.repeat(43)}`,
    'that is a member of every object': n => ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'isPrototypeOf', 'a', 'b', 'c'][n - 1],
    'of other scripts': n => `ключ-鍵-مفتاح-${n}`,
    'that is composed in two ways': n => n % 2 ? `\u00e9${n >> 1}` : `e\u0301${(n - 1) >> 1}`,
    'of one letter': n => String.fromCharCode(96 + n),
    'of 8 kB': n => 'x'.repeat(8_192) + n,
    'that looks like a number': n => `00${n}`
  }

  test.each(Object.keys(odd))('%s works like any other', async name => {
    const options = () => {
      let n = 0
      return { genid: () => odd[name](++n), cookie: { maxAge: 10 * MINUTE } }
    }
    const seen = await compare(store, script, options)
    expect(seen.filter(({ answer }) => answer.status !== 200)).toStrictEqual([])
    expect(seen[2].answer.body.data).toStrictEqual({ visits: 1 })
  })

  test('that is used again and again is one session for all', async () => {
    const seen = await compare(store, ['visit', ['look', 1], ['visit', 1], 'look', 'logout', 'look', 'visit', ['look', 1]], { genid: () => 'the same' })
    expect(seen.at(-1).answer.body.data).toStrictEqual({ visits: 1 })
  })

  test('that is not a string makes a session that is never stored', async () => {
    const seen = await compare(store, ['look', 'visit', 'look', 'visit'], { genid: () => 5 })
    expect(seen.at(-1).length).toBe(0)
  })

  test('may depend on the request', async () => {
    await compare(store, script, () => { let n = 0; return { genid: req => `${req.method} ${req.path} ${n++}` } })
  })
})
