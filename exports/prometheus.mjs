import api from './prometheus.js'

export const { collectSessions } = api
export default collectSessions
