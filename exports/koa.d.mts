export * from './koa.js'
export { KoaStore as default } from './koa.js'
