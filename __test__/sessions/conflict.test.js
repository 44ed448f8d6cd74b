'use strict'

// A JSON session that others write faster than it can be merged. A proxy on the wire lets the other writes happen at the
// critical moment.

const session = require('express-session')
const { AerospikeStore, SessionStore } = require('../..')
const { WireTap } = require('../support/wire-tap')

test('a merge that is always overtaken fails with CONFLICT, and the next one that is not succeeds', async () => {
  const tap = await WireTap.start()
  const store = new AerospikeStore({ hosts: tap.hosts, format: 'json' })
  const others = new SessionStore({ hosts: tap.server.hosts })
  await store.set('busy', { cookie: new session.Cookie({ maxAge: 60_000 }), mine: 1, theirs: 1 })
  const loaded = await store.get('busy')
  loaded.mine = 2

  // A touch is a write, so the record has another generation than the one just read.
  tap.before = async kind => { if (kind === 'write') await others.touch('busy', { ttl: 60 }) }
  const writes = await tap.during(async () => {
    await expect(store.set('busy', loaded)).rejects.toMatchObject({ code: 'CONFLICT', retryable: true, inDoubt: false })
  })
  expect(writes.filter(kind => kind === 'write').length).toBeGreaterThan(10)
  expect(await others.get('busy')).toStrictEqual({ mine: 1, theirs: 1 })

  tap.before = async () => {}
  await others.save('busy', { mine: 1, theirs: 2 })
  await store.set('busy', loaded)
  expect(await others.get('busy')).toStrictEqual({ mine: 2, theirs: 2 })

  await others.close()
  await store.close()
  await tap.stop()
})
