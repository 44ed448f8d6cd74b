import api from './koa.js'

export const { KoaStore, renew, renewal } = api
export default KoaStore
