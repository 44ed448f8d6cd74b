export * from './opentelemetry.js'
export { traceSessions as default } from './opentelemetry.js'
