import api from './better-auth.js'

export const { secondaryStorage } = api
export default secondaryStorage
