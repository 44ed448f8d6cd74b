import api from './fastify.js'

export const { FastifyStore, renew, renewal } = api
export default FastifyStore
