'use strict'

// Spans of OpenTelemetry, made from the diagnostics channels (lib/tracing.js). All stores of the process share them.

const { tracingChannel } = require('node:diagnostics_channel')

const OPERATIONS = ['get', 'set', 'touch', 'destroy', 'save', 'delete', 'has', 'sessionsOf', 'countOf', 'destroyOf', 'consume', 'increment']

/**
 * Starts to make a span for each operation. Returns a function that stops it.
 *
 * @param {any} [provider] of tracers; by default the global one
 */
function traceSessions (provider) {
  const { SpanKind, SpanStatusCode, trace } = require('@opentelemetry/api')
  const tracer = (provider ?? trace.getTracerProvider()).getTracer('aerospike-session')
  const spans = new WeakMap()
  const subscriptions = OPERATIONS.map(operation => {
    const channel = tracingChannel(`aerospike-session:${operation}`)
    const subscribers = {
      start (/** @type {any} */ message) {
        const attributes = {
          'db.system.name': 'aerospike',
          'db.namespace': message.namespace,
          'db.collection.name': message.set,
          'db.operation.name': operation
        }
        spans.set(message, tracer.startSpan(`${operation} ${message.set}`, { kind: SpanKind.CLIENT, attributes }))
      },
      // Not asyncEnd: between the two the callback runs, and with express-session that is the page.
      asyncStart (/** @type {any} */ message) {
        const span = spans.get(message)
        if (span === undefined) return
        const { outcome, error, node, batch } = message
        span.setAttribute('aerospike.outcome', outcome)
        if (node !== undefined) span.setAttribute('aerospike.node', node)
        if (batch !== undefined) span.setAttribute('aerospike.batch', batch)
        if (error !== undefined) {
          span.setAttribute('error.type', error.code)
          span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
        }
        span.end()
      }
    }
    channel.subscribe(/** @type {any} */ (subscribers))
    return () => channel.unsubscribe(/** @type {any} */ (subscribers))
  })
  return () => { for (const stop of subscriptions) stop() }
}

module.exports = { traceSessions }
