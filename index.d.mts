export * from './index.js'
export { AerospikeStore as default } from './index.js'
