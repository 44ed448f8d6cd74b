import api from './dev-server.js'

export const { DevServer } = api
export default DevServer
