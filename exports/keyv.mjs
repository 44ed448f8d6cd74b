import api from './keyv.js'

export const { KeyvAerospike } = api
export default KeyvAerospike
