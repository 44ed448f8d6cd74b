import api from './migrate.js'

export const { MigratingStore } = api
export default MigratingStore
