'use strict'

// Pairs of user names that collide in an index of Aerospike. They have the same length, the same first 16 bytes and the same
// 64-bit hash (wyhash with a public seed), and a server compares nothing else (strings_match in as/src/query/query.c). Computing
// the second name of each pair took a fifth of a second.

/** @type {[string, string][]} */
module.exports = [
  ['ada.lovelace.of.the.analytical.engine.co', 'ada.lovelace.of.qtxmYuTdytical.ec15Ub-jI'],
  ['uid=ada,ou=people,o=engines,dc=example,dc=com,cn=lovelace', 'uid=ada,ou=peoplKf3DOgIsnes,dc=example,dc=com,cn=4_cJvNuU'],
  [
    'grace.hopper.of.the.eniac.and.the.mark.i.of.harvard.university.of.cambridge.massachusetts.usa.north.america',
    'grace.hopper.of.tW28lA5Tc.and.the.mark.i.of.harvard.university.of.cambridge.massachusetts.usa.northps4o66AF'
  ]
]
