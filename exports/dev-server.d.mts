export * from './dev-server.js'
export { DevServer as default } from './dev-server.js'
