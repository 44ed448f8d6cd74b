import api from './rate-limit.js'

export const { AerospikeRateLimitStore, RateLimiter, fastifyRateLimitStore } = api
