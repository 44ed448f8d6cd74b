import { SessionStoreStats } from '../index'

/**
 * Registers the metrics of a store with prom-client (an optional peer dependency). Their names begin with `aerospike_session_`:
 * `up`, `node_up`, `in_flight`, `operations_total`, `retries_total`, `batches_total`, `batched_total` and `latency_seconds`. They are read from
 * `store.stats()` whenever Prometheus asks. `docs/grafana-dashboard.json` shows them.
 *
 * @param store an `AerospikeStore` or a `SessionStore`
 * @param registry of prom-client. @default prom-client's own
 * @example
 * const { register } = require('prom-client')
 * collectSessions(store)
 * app.get('/metrics', async (req, res) => res.type(register.contentType).send(await register.metrics()))
 */
export function collectSessions(store: { stats(): SessionStoreStats }, registry?: object): void

export default collectSessions
