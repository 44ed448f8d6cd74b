import api from './react-router.js'

export const { ReactRouterStore } = api
export default ReactRouterStore
