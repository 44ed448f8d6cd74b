export * from './migrate.js'
export { MigratingStore as default } from './migrate.js'
