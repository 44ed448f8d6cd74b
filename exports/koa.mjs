import api from './koa.js'

export const { KoaStore } = api
export default KoaStore
