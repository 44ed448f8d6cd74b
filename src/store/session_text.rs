//! The text of a session, split into its members.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::bins::COOKIE;
use crate::codec::CodecError;
use crate::codec::members::{self, Member};

/// The parsed text of a session.
pub struct Session<'a> {
    /// Every member except the cookie, each key once.
    pub data: Vec<Member<'a>>,
    /// The text of the cookie.
    pub cookie: Option<&'a str>,
}

impl<'a> Session<'a> {
    pub fn parse(text: &'a str) -> Result<Session<'a>, CodecError> {
        let mut data = unique(members::split(text)?);
        let place = data
            .iter()
            .position(|member| *member.key == *COOKIE.as_bytes());
        Ok(Session {
            cookie: place.map(|place| data.remove(place).value),
            data,
        })
    }

    /// Returns the text of the data, an object.
    pub fn data(&self) -> String {
        members::join(&self.data)
    }
}

/// Keeps, of members with equal keys, the last one at the position of the first.
pub(super) fn unique(mut members: Vec<Member<'_>>) -> Vec<Member<'_>> {
    let repeated = repeated(&members);
    for (later, first) in &repeated {
        members[*first] = members[*later].clone();
    }
    if !repeated.is_empty() {
        let mut place = 0..;
        members.retain(|_| {
            let is_later = |place| repeated.contains_key(&place);
            !place.next().is_some_and(is_later)
        });
    }
    members
}

/// Returns the positions of members whose key already occurred, each with the first position of its key, in order.
fn repeated(members: &[Member<'_>]) -> BTreeMap<usize, usize> {
    let mut repeated = BTreeMap::new();
    if members.len() <= MemberIndex::MAX_LINEAR {
        for (place, member) in members.iter().enumerate() {
            let mut before = members[..place].iter();
            if let Some(first) = before.position(|one| one.key == member.key) {
                repeated.insert(place, first);
            }
        }
        return repeated;
    }
    let mut places = HashMap::with_capacity(members.len());
    for (place, member) in members.iter().enumerate() {
        match places.entry(&*member.key) {
            Entry::Occupied(first) => drop(repeated.insert(place, *first.get())),
            Entry::Vacant(free) => drop(free.insert(place)),
        }
    }
    repeated
}

/// Finds members by their keys. A session usually has few members, and then a linear search is the fastest. But an
/// application may store a hundred thousand.
pub(super) enum MemberIndex<'a> {
    Linear,
    Hash(HashMap<Cow<'a, [u8]>, usize>),
}

impl<'a> MemberIndex<'a> {
    const MAX_LINEAR: usize = 32;

    /// Indexes the members. Of members with equal keys, it finds the first.
    pub fn new(members: &[Member<'a>]) -> MemberIndex<'a> {
        if members.len() <= MemberIndex::MAX_LINEAR {
            return MemberIndex::Linear;
        }
        let mut places = HashMap::with_capacity(members.len());
        for (place, member) in members.iter().enumerate() {
            places.entry(member.key.clone()).or_insert(place);
        }
        MemberIndex::Hash(places)
    }

    pub fn find(&self, members: &[Member<'a>], key: &[u8]) -> Option<usize> {
        match self {
            MemberIndex::Linear => members.iter().position(|member| *member.key == *key),
            MemberIndex::Hash(places) => places.get(key).copied(),
        }
    }
}

/// Returns a key as a string. `None` for a key with a lone surrogate, which no map can hold.
pub fn key_text(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_counts() {
        for others in [0, 100] {
            let others: String = (0..others).map(|n| format!(r#""k{n}":{n},"#)).collect();
            let text = format!(r#"{{"a":1,{others}"b":2,"a":3,"b":4,"b":5}}"#);
            let session = Session::parse(&text).expect("a session");
            assert_eq!(session.data(), format!(r#"{{"a":3,{others}"b":5}}"#));
        }
    }
}
