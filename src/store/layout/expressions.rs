//! The expressions by which the server decides whether a write or a removal applies to a record.

use aerospike::ParticleType;
use aerospike::expressions::{
    Expression, and, bin_exists, cond, eq, int_bin, int_val, not, or, string_bin, string_val,
};

use super::super::bins::{CREATED, PREFIX};
use super::super::expiry;
use super::Layout;

impl Layout {
    /// Passes the records of this view: those with its prefix, or, if it has no prefix, those without one.
    pub fn in_this_view(&self) -> Expression {
        match self.options.prefix.as_str() {
            "" => not(bin_exists(PREFIX)),
            prefix => eq(string_bin(PREFIX), string_val(prefix)),
        }
    }

    /// Passes the records of this view that can be removed alone. An alias cannot: the record that it leads to has to be
    /// removed first.
    pub fn is_removable(&self, now: i64) -> Expression {
        and(vec![self.in_this_view(), not(self.is_alias(now))])
    }

    /// Passes the records that a new session of this view may replace. These are records of this view whose sessions
    /// have ended or were removed, except aliases. Records whose bin `prefix` is not a string belong to no view, because no store
    /// writes them; they pass too.
    pub fn is_free(&self, now: i64) -> Expression {
        // To the server, the string in a bin of another type is unknown, and so is every expression that depends on
        // it.
        let is_text = || expiry::is_of_type(PREFIX, ParticleType::String);
        let of_no_view = and(vec![bin_exists(PREFIX), not(is_text())]);
        let mut ended = vec![
            self.in_this_view(),
            not(self.alive(now)),
            not(self.is_alias(now)),
        ];
        if !self.options.prefix.is_empty() {
            ended.insert(0, is_text());
        }
        or(vec![of_no_view, and(ended)])
    }

    /// Passes the records of sessions that are alive: neither ended nor removed.
    pub fn alive(&self, now: i64) -> Expression {
        and(vec![
            not(expiry::is_integer(self.options.bin.as_str())),
            expiry::alive(now, self.options.absolute_ttl),
        ])
    }

    /// Passes the records of this view whose session is alive and still the same. An application that generates the
    /// same id again (`genid`) may have removed the session and created another one.
    pub fn same_and_alive(&self, created: Option<i64>, now: i64) -> Expression {
        let mut all = vec![self.in_this_view(), self.alive(now)];
        all.extend(created.map(|created| {
            or(vec![
                not(expiry::is_integer(CREATED)),
                eq(int_bin(CREATED), int_val(created)),
            ])
        }));
        and(all)
    }

    /// Returns the creation time that a write of the whole record stores: the record's own, if it has one. The write
    /// has to apply only to a missing record or to one whose session is alive. Only a filter can check whether it is
    /// alive, because an operation already sees the TTL that this command writes.
    pub fn creation(&self, created: i64) -> Expression {
        cond(vec![
            expiry::is_integer(CREATED),
            int_bin(CREATED),
            int_val(created),
        ])
    }
}
