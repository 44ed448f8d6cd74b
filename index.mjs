import api from './index.js'

export const { AerospikeStore, SessionStore, AerospikeSessionError, sessionErrors } = api
export default AerospikeStore
