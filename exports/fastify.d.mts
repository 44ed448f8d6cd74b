export * from './fastify.js'
export { FastifyStore as default } from './fastify.js'
