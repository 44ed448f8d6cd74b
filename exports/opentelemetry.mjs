import api from './opentelemetry.js'

export const { traceSessions } = api
export default traceSessions
