'use strict'

// A site in a process of its own that renews the session of each request to /renew. The test ends it during a renewal.

const { renew, AerospikeStore } = require('../..')
const { siteConfig } = require('./fork-site')
const { serve } = require('./http')

const { options } = siteConfig()
serve(new AerospikeStore(options), app => {
  app.get('/renew', (req, res, next) => renew(req).then(renewed => res.json(renewed), next))
}).then(({ url }) => process.send(['port', Number(new URL(url).port)]))
