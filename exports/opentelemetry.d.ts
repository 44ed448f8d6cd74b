/**
 * Makes a span of OpenTelemetry for each operation of all stores in this process, as a child of the active span. Needs
 * `@opentelemetry/api` (an optional peer dependency). Call it once, after the SDK has started. No span holds a session id or data.
 *
 * @param provider of tracers. @default the global one
 * @returns a function that stops it
 * @example
 * sdk.start()
 * traceSessions()
 */
export function traceSessions(provider?: object): () => void

export default traceSessions
