import api from './hono.js'

export const { HonoStore } = api
export default HonoStore
