'use strict'

// Pairs of user names that an index of Aerospike takes for one: they have the same length, the same first 16 bytes and the same
// 64-bit hash (wyhash, whose seed is no secret), and a server compares no more than that (strings_match in
// as/src/query/query.c). The second of each pair was computed in a fifth of a second.

/** @type {[string, string][]} */
module.exports = [
  ['ada.lovelace.of.the.analytical.engine.co', 'ada.lovelace.of.qtxmYuTdytical.ec15Ub-jI'],
  ['uid=ada,ou=people,o=engines,dc=example,dc=com,cn=lovelace', 'uid=ada,ou=peoplKf3DOgIsnes,dc=example,dc=com,cn=4_cJvNuU'],
  [
    'grace.hopper.of.the.eniac.and.the.mark.i.of.harvard.university.of.cambridge.massachusetts.usa.north.america',
    'grace.hopper.of.tW28lA5Tc.and.the.mark.i.of.harvard.university.of.cambridge.massachusetts.usa.northps4o66AF'
  ]
]
