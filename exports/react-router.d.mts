export * from './react-router.js'
export { ReactRouterStore as default } from './react-router.js'
