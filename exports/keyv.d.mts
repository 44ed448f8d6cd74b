export * from './keyv.js'
export { KeyvAerospike as default } from './keyv.js'
