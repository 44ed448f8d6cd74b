import api from './fastify.js'

export const { FastifyStore } = api
export default FastifyStore
