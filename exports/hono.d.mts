export * from './hono.js'
export { HonoStore as default } from './hono.js'
