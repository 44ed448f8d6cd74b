export * from './prometheus.js'
export { collectSessions as default } from './prometheus.js'
