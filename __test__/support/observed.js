'use strict'

// Runs a store with the examples of docs/observability.md in the given folder. Sends its parent what they recorded.

const path = require('node:path')
const { AsyncLocalStorage } = require('node:async_hooks')
const { context, ROOT_CONTEXT } = require('@opentelemetry/api')
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base')
const { register } = require('prom-client')
const { AerospikeStore } = require('../..')
const { DevServer } = require('../../exports/dev-server')
const { traceSessions } = require('../../exports/opentelemetry')
const { collectSessions } = require('../../exports/prometheus')

const [folder] = process.argv.slice(2)
const example = name => require(path.join(folder, name))

/** Keeps the context in AsyncLocalStorage, as @opentelemetry/sdk-node does. */
class Contexts {
  #storage = new AsyncLocalStorage()
  active () { return this.#storage.getStore() ?? ROOT_CONTEXT }
  with (context, work, self, ...args) { return this.#storage.run(context, () => work.apply(self, args)) }
  bind (context, work) { return (...args) => this.with(context, work, undefined, ...args) }
  enable () { return this }
  disable () { return this }
}

async function main () {
  context.setGlobalContextManager(new Contexts())
  example('telemetry.js')
  example('session-latency.js')
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const stop = traceSessions(provider)
  const tracer = provider.getTracer('site')

  const alive = setInterval(() => {}, 1_000)
  const server = await DevServer.start()
  const store = new AerospikeStore({ hosts: server.hosts, set: 'observed', timeout: 500 })
  collectSessions(store)
  await store.ready()
  await store.set('one', { cookie: {}, n: 1 })
  await new Promise(resolve => tracer.startActiveSpan('page', page => {
    store.get('one', () => {
      tracer.startSpan('work').end()
      page.end()
      resolve()
    })
  }))
  await store.get('none')
  const metrics = await register.metrics()
  const down = new Promise(resolve => store.once('down', resolve))
  await server.stop()
  await store.get('one').catch(() => {})
  await down
  const after = await register.metrics()
  stop()
  await store.get('none').catch(() => {})
  await store.close()
  clearInterval(alive)
  const names = new Map(exporter.getFinishedSpans().map(span => [span.spanContext().spanId, span.name]))
  const spans = exporter.getFinishedSpans().map(({ name, kind, attributes, status, parentSpanContext }) => {
    return { name, kind, attributes, status, parent: names.get(parentSpanContext?.spanId) }
  })
  process.send({ metrics, after, spans }, () => process.disconnect())
}

main()
