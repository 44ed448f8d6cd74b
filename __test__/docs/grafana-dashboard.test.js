'use strict'

// docs/grafana-dashboard.json asks only for metrics that aerospike-session/prometheus has, with labels that they have.

const { Registry } = require('prom-client')
const dashboard = require('../../docs/grafana-dashboard.json')
const { collectSessions } = require('../../exports/prometheus')
const { openStore } = require('../support/server')

const NAMES = /aerospike_session_\w+/g

test('every panel asks for metrics that there are, and every metric is in a panel', async () => {
  const store = openStore({})
  await store.ready()
  await store.get('any')
  const registry = new Registry()
  collectSessions(store, registry)
  const text = await registry.metrics()
  const there = new Map()
  for (const [, name, labels = ''] of text.matchAll(/^(aerospike_session_\w+)(?:\{(.*)\})? /gm)) {
    there.set(name, [...there.get(name) ?? [], ...[...labels.matchAll(/(\w+)=/g)].map(([, label]) => label)])
  }
  const asked = new Set()
  for (const { title, targets } of dashboard.panels) {
    for (const { expr, legendFormat } of targets) {
      const names = expr.match(NAMES)
      expect([title, names]).not.toStrictEqual([title, null])
      for (const name of names) {
        expect(there.has(name)).toBe(true)
        asked.add(name.replace(/_bucket$/, ''))
      }
      const by = /by \(([^)]*)\)/.exec(expr)?.[1].split(', ') ?? []
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label)
      for (const label of [...by, ...shown]) expect(names.flatMap(name => there.get(name))).toContain(label)
    }
  }
  const all = new Set([...there.keys()].map(name => name.replace(/_(bucket|sum|count)$/, '')))
  expect([...asked].sort()).toStrictEqual([...all].sort())
})
