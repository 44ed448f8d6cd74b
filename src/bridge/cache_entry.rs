//! The functions of a cache that the JavaScript facade calls, as those of [`entry`](super::entry). `lib/cache/cache.js` checks the keys.

use napi::bindgen_prelude::*;
use napi_derive::napi;

use super::entry::{Handle, page};
use super::text::Text;
use crate::cache::{CacheOp, Entry, ManyOp};
use crate::store::{Operation, SessionOp};

type Opened = External<Handle>;

impl Handle {
    fn cache_one(&self, env: &Env, slot: u32, key: Text, op: CacheOp) -> Result<()> {
        self.submit_session_op(env, slot, key, SessionOp::Cache(op))
    }

    fn cache_each(&self, env: &Env, slot: u32, keys: Vec<Text>, op: &CacheOp) -> Result<()> {
        let all = keys.into_iter().map(|key| (key.0, op.clone())).collect();
        self.submit(env, slot, Operation::Cache(ManyOp::Each(all)))
    }

    /// `expires`: milliseconds since 1970, 0: never.
    fn entry(&self, key: &Text, value: Text, expires: i64) -> Entry {
        Entry {
            value: value.0,
            expires: Some(expires).filter(|expires| *expires != 0),
            key: self.stores_keys().then(|| key.0.clone()),
        }
    }
}

#[napi(catch_unwind)]
pub fn cache_get(env: Env, store: &Opened, slot: u32, key: Text) -> Result<()> {
    store.cache_one(&env, slot, key, CacheOp::Get)
}

#[napi(catch_unwind)]
pub fn cache_has(env: Env, store: &Opened, slot: u32, key: Text) -> Result<()> {
    store.cache_one(&env, slot, key, CacheOp::Has)
}

/// `expires`: 0 if the entry does not end.
#[napi(catch_unwind)]
pub fn cache_set(
    env: Env,
    store: &Opened,
    slot: u32,
    key: Text,
    value: Text,
    expires: i64,
) -> Result<()> {
    let entry = store.entry(&key, value, expires);
    store.cache_one(&env, slot, key, CacheOp::Set(entry))
}

#[napi(catch_unwind)]
pub fn cache_delete(env: Env, store: &Opened, slot: u32, key: Text) -> Result<()> {
    store.cache_one(&env, slot, key, CacheOp::Delete)
}

#[napi(catch_unwind)]
pub fn cache_take(env: Env, store: &Opened, slot: u32, key: Text) -> Result<()> {
    store.cache_one(&env, slot, key, CacheOp::Take)
}

/// `token`: a random integer.
#[napi(catch_unwind)]
pub fn cache_increment(
    env: Env,
    store: &Opened,
    slot: u32,
    key: Text,
    expires: i64,
    token: i64,
) -> Result<()> {
    store.cache_one(&env, slot, key, CacheOp::Increment { expires, token })
}

#[napi(catch_unwind)]
pub fn cache_get_many(env: Env, store: &Opened, slot: u32, keys: Vec<Text>) -> Result<()> {
    store.cache_each(&env, slot, keys, &CacheOp::Get)
}

#[napi(catch_unwind)]
pub fn cache_has_many(env: Env, store: &Opened, slot: u32, keys: Vec<Text>) -> Result<()> {
    store.cache_each(&env, slot, keys, &CacheOp::Has)
}

/// The arrays are equally long.
#[napi(catch_unwind)]
pub fn cache_set_many(
    env: Env,
    store: &Opened,
    slot: u32,
    keys: Vec<Text>,
    values: Vec<Text>,
    expires: Vec<i64>,
) -> Result<()> {
    let entries = keys.into_iter().zip(values).zip(expires);
    let all = entries.map(|((key, value), expires)| {
        let entry = store.entry(&key, value, expires);
        (key.0, CacheOp::Set(entry))
    });
    let all = ManyOp::Each(all.collect());
    store.submit(&env, slot, Operation::Cache(all))
}

#[napi(catch_unwind)]
pub fn cache_delete_many(env: Env, store: &Opened, slot: u32, keys: Vec<Text>) -> Result<()> {
    store.cache_each(&env, slot, keys, &CacheOp::Delete)
}

#[napi(catch_unwind)]
pub fn cache_clear(env: Env, store: &Opened, slot: u32) -> Result<()> {
    store.submit(&env, slot, Operation::Cache(ManyOp::Clear))
}

#[napi(catch_unwind)]
pub fn cache_entries(env: Env, store: &Opened, slot: u32, first: u32, count: u32) -> Result<()> {
    let partitions = page(Some(first), Some(count)).unwrap_or_default();
    store.submit(&env, slot, Operation::Cache(ManyOp::Entries { partitions }))
}
