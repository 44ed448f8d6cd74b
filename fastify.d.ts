import { AerospikeStore, AerospikeStoreOptions } from './index'

export type FastifyStoreOptions = Omit<AerospikeStoreOptions, 'whenDown'>

/**
 * The store for @fastify/session: `app.register(session, { secret, store: new FastifyStore() })`.
 *
 * An {@link AerospikeStore} whose sets know what a session was loaded as, though Fastify copies it. For that a session
 * has one more key, `'@aerospike-session'`, whose value is a function and so in no JSON.
 */
export class FastifyStore extends AerospikeStore {
  /** @throws {AerospikeSessionError} `BAD_OPTION`, at once and in words */
  constructor(options?: FastifyStoreOptions)
}

export default FastifyStore
