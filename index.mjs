import api from './index.js'

export const { AerospikeStore, SessionStore, AerospikeSessionError, renew, renewal } = api
export default AerospikeStore
