export * from './better-auth.js'
export { secondaryStorage as default } from './better-auth.js'
