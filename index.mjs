import api from './index.js'

export const { AerospikeStore, SessionStore, AerospikeSessionError } = api
export default AerospikeStore
