'use strict'

// Requests at the same time on one encrypted session.

const { once } = require('node:events')
const { KEY, beside, visit } = require('../support/encrypted-sessions')
const { openStore } = require('../support/server')

describe('parallel requests', () => {
  function gate () {
    const { promise: reached, resolve: arrive } = Promise.withResolvers?.() ?? withResolvers()
    const { promise: opened, resolve: open } = Promise.withResolvers?.() ?? withResolvers()
    return { reached, open, pass: () => { arrive(); return opened } }
  }

  function withResolvers () {
    const made = {}
    made.promise = new Promise(resolve => { made.resolve = resolve })
    return made
  }

  test('on an encrypted session lose no change', async () => {
    const [one, two] = [gate(), gate()]
    const { visitor } = await visit(openStore({ encryptionKeys: [KEY] }), { one: one.pass, two: two.pass })
    const answers = [visitor.get('/set/one'), beside(visitor).get('/set/two')]
    await Promise.all([one.reached, two.reached])
    one.open()
    await answers[0]
    two.open()
    await answers[1]
    expect((await visitor.get('/read')).body).toMatchObject({ user: 'ada lovelace', one: 'changed', two: 'changed' })
  })

  test('on an encrypted session do not undo a logout', async () => {
    const slow = gate()
    const store = openStore({ encryptionKeys: [KEY] })
    const { visitor, sid } = await visit(store, { slow: slow.pass })
    const answer = beside(visitor).get('/set/slow')
    await slow.reached
    await visitor.get('/logout')
    const emitted = once(store, 'gone')
    slow.open()
    await answer
    await emitted
    expect(await store.get(sid)).toBeNull()
  })
})
