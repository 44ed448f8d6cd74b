import api from './index.js'

export const { AerospikeStore, SessionStore, AerospikeSessionError, renew, renewal, sessionErrors } = api
export default AerospikeStore
