'use strict'

// Metrics of a store for prom-client.

const PREFIX = 'aerospike_session_'

/**
 * Registers the metrics of a store.
 *
 * @param {{ stats (): import('../../index').SessionStoreStats }} store
 * @param {any} [registry] of prom-client
 */
function collectSessions (store, registry) {
  const { Counter, Gauge, register } = require('prom-client')
  const target = registry ?? register
  /**
   * @param {any} Metric
   * @param {string} name
   * @param {string} help
   * @param {string[]} labelNames
   * @param {(metric: any, stats: import('../../index').SessionStoreStats) => void} collect
   */
  const add = (Metric, name, help, labelNames, collect) => new Metric({
    name: PREFIX + name,
    help,
    labelNames,
    registers: [target],
    collect () {
      this.reset()
      collect(this, store.stats())
    }
  })

  add(Gauge, 'up', 'Whether a node can be reached.', [], (gauge, { connected }) => gauge.set(Number(connected)))
  add(Gauge, 'node_up', 'Whether a node answered when it was last asked.', ['node', 'address'], (gauge, { nodes }) => {
    for (const { name, address, active } of nodes) gauge.set({ node: name, address }, Number(active))
  })
  add(Gauge, 'in_flight', 'Operations that are not answered yet.', [], (gauge, { inFlight }) => gauge.set(inFlight))
  add(Counter, 'operations_total', 'Operations by method and outcome.', ['operation', 'outcome'], (counter, { operations }) => {
    for (const [operation, { ok, errors }] of Object.entries(operations)) {
      for (const [outcome, count] of Object.entries({ ok, ...errors })) counter.inc({ operation, outcome }, count)
    }
  })
  add(Counter, 'retries_total', 'Attempts beyond the first.', [], (counter, { retries }) => counter.inc(retries))
  add(Counter, 'batches_total', 'Requests that carried more than one operation.', [], (counter, { batches }) => counter.inc(batches))
  add(Counter, 'batched_total', 'Operations that were sent in such requests.', [], (counter, { batched }) => counter.inc(batched))
  target.registerMetric(latency(store))
}

/**
 * Returns a histogram that the store has counted. prom-client asks no more of a metric than this.
 * @param {{ stats (): import('../../index').SessionStoreStats }} store
 */
function latency (store) {
  const name = `${PREFIX}latency_seconds`
  return {
    name,
    async get () {
      const { bounds, counts, sum } = store.stats().latency
      let below = 0
      /** @type {{ metricName: string, labels: object, value: number }[]} */
      const values = [...bounds.map(ms => ms / 1_000), '+Inf'].map((le, i) => {
        below += counts[i]
        return { metricName: `${name}_bucket`, labels: { le }, value: below }
      })
      values.push({ metricName: `${name}_sum`, labels: {}, value: sum / 1_000 })
      values.push({ metricName: `${name}_count`, labels: {}, value: below })
      return { name, help: 'How long operations on one session took.', type: 'histogram', aggregator: 'sum', values }
    }
  }
}

module.exports = { collectSessions }
