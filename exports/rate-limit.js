'use strict'

const { AerospikeRateLimitStore } = require('../lib/rate-limit/express-store')
const { fastifyRateLimitStore } = require('../lib/rate-limit/fastify-store')
const { RateLimiter } = require('../lib/rate-limit/rate-limiter')

// One by one, so that programs that only read this file see them, too.
exports.AerospikeRateLimitStore = AerospikeRateLimitStore
exports.RateLimiter = RateLimiter
exports.fastifyRateLimitStore = fastifyRateLimitStore
