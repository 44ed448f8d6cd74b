export { AerospikeRateLimitStore, RateLimiter, fastifyRateLimitStore } from './rate-limit.js'
