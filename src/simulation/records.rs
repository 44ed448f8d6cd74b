//! The records of a simulated namespace. Applies commands by the rules of `write_master()` in as/src/transaction/write.c, as far as
//! sessions need them.

use std::collections::{BTreeMap, HashMap};

use aerospike::expressions::bool_val;
use aerospike::{Bin, Bins, Expiration, IndexMap, Key, ResultCode, Value};

use super::filter;
use super::msgpack;
use super::record::Record;
use crate::cluster::{Command, Reply, Step};

/// Seconds from 1970 to 2010, the epoch of void times.
const EPOCH_S: i64 = 1_262_304_000;
const PARTICLE_MAP: u8 = 19;

#[derive(Default)]
pub struct Records {
    pub refuses_ttl: bool,
    pub all: HashMap<[u8; 20], Record>,
    /// The owner of each removed session, and its place in the order of a limit by creation.
    pub removed: Vec<(String, Place)>,
}

/// The place of a session in the order of a limit by creation: a time, and the digest.
pub type Place = (i64, [u8; 20]);

fn place(record: &Record) -> i64 {
    let integer = |bin: &str| match record.bins.get(bin) {
        Some(Value::Int(time)) => Some(*time),
        _ => None,
    };
    integer("login")
        .or_else(|| integer("created"))
        .unwrap_or(i64::MIN)
}

/// The parameters of a write.
struct Write<'a> {
    steps: &'a [Step],
    bins: &'a [Bin],
    ttl: Expiration,
    generation: Option<u32>,
    creates: bool,
}

impl Records {
    /// Applies a command. `now`: milliseconds since 1970.
    pub fn apply(&mut self, key: &Key, command: &Command, now: i64) -> Result<Reply, ResultCode> {
        let seconds = now / 1_000 - EPOCH_S;
        let digest = key.digest();
        if self
            .all
            .get(&digest)
            .is_some_and(|record| record.void_time != 0 && i64::from(record.void_time) <= seconds)
        {
            self.all.remove(&digest);
        }
        match command {
            Command::Read { .. } | Command::Check { .. } | Command::ReadSmall { .. } => {
                let (bins, touch) = match command {
                    Command::Read { bins, touch } => (bins, *touch),
                    Command::Check { bins } | Command::ReadSmall { bins } => (bins, None),
                    _ => unreachable!("a read"),
                };
                let record = self.all.get_mut(&digest);
                let record = record.ok_or(ResultCode::KeyNotFoundError)?;
                if let Some(percent) = touch {
                    extend(record, percent, u32::try_from(seconds).unwrap_or(0), now);
                }
                let wanted = |name: &String| match bins {
                    Bins::All => true,
                    Bins::None => false,
                    Bins::Some(names) => names.contains(name),
                };
                let bins = record.bins.iter().filter(|(name, _)| wanted(name));
                Ok(reply(
                    record,
                    bins.map(|(name, value)| (name.clone(), value.clone()))
                        .collect(),
                ))
            }
            Command::ReadSteps { steps } => {
                let record = self.all.get(&digest).ok_or(ResultCode::KeyNotFoundError)?;
                let read = apply_steps(&mut record.clone(), steps)?;
                Ok(reply(record, read))
            }
            Command::Change {
                operations,
                bins,
                ttl,
                only_if,
                generation,
                ..
            } => {
                let write = Write {
                    steps: operations,
                    bins,
                    ttl: *ttl,
                    generation: *generation,
                    creates: false,
                };
                self.write(digest, &write, only_if, now)
            }
            Command::Upsert {
                operations,
                bins,
                ttl,
                only_if,
                ..
            } => {
                let write = Write {
                    steps: operations,
                    bins,
                    ttl: *ttl,
                    generation: None,
                    creates: true,
                };
                self.write(digest, &write, only_if, now)
            }
            Command::Count {
                operations,
                ttl,
                creates,
            } => {
                let write = Write {
                    steps: operations,
                    bins: &[],
                    ttl: *ttl,
                    generation: None,
                    creates: *creates,
                };
                self.write(digest, &write, &bool_val(true), now)
            }
            Command::Delete {
                reading, only_if, ..
            } => {
                let record = self.all.get(&digest).ok_or(ResultCode::KeyNotFoundError)?;
                if !filter::passes(only_if, record) {
                    return Err(ResultCode::FilteredOut);
                }
                let mut record = record.clone();
                let read = apply_steps(&mut record, reading)?;
                self.all.remove(&digest);
                if let Some(Value::String(user)) = record.bins.get("user") {
                    self.removed.push((user.clone(), (place(&record), digest)));
                }
                Ok(match reading.is_empty() {
                    true => Reply::Done,
                    false => reply(&record, read),
                })
            }
        }
    }

    /// Returns the places of the sessions of a user.
    pub fn of_user(&self, user: &str) -> Vec<Place> {
        let user = Value::String(user.to_owned());
        let of_user = self
            .all
            .iter()
            .filter(|(_, record)| record.bins.get("user") == Some(&user));
        of_user
            .map(|(digest, record)| (place(record), *digest))
            .collect()
    }

    fn write(
        &mut self,
        digest: [u8; 20],
        write: &Write<'_>,
        only_if: &aerospike::expressions::Expression,
        now: i64,
    ) -> Result<Reply, ResultCode> {
        let seconds = now / 1_000 - EPOCH_S;
        let mut record = match self.all.get(&digest) {
            Some(record) => {
                if write
                    .generation
                    .is_some_and(|wanted| wanted != record.generation)
                {
                    return Err(ResultCode::GenerationError);
                }
                if !filter::passes(only_if, record) {
                    return Err(ResultCode::FilteredOut);
                }
                record.clone()
            }
            None if write.creates => Record::default(),
            None => return Err(ResultCode::KeyNotFoundError),
        };
        record.void_time = match write.ttl {
            Expiration::Seconds(_) if self.refuses_ttl => return Err(ResultCode::FailForbidden),
            Expiration::Seconds(ttl) => u32::try_from(seconds).unwrap_or(0) + ttl,
            Expiration::DontUpdate => record.void_time,
            Expiration::Never | Expiration::NamespaceDefault => 0,
        };
        record.generation += 1;
        record.last_update = u32::try_from(seconds).unwrap_or(0);
        record.last_update_ms = now;
        let read = apply_steps(&mut record, write.steps)?;
        for bin in write.bins {
            put(&mut record, bin);
        }
        let answer = reply(&record, read);
        if record.bins.is_empty() {
            self.all.remove(&digest);
        } else {
            self.all.insert(digest, record);
        }
        Ok(answer)
    }
}

/// Extends a record that is read, if less than this percentage of its lifetime is left (`as/src/transaction/read_touch.c`).
fn extend(record: &mut Record, percent: u8, seconds: u32, now: i64) {
    let life = record.void_time.saturating_sub(record.last_update);
    let left = u64::from(life) * u64::from(percent) / 100;
    let is_due = u64::from(record.void_time) <= u64::from(seconds) + left;
    if record.void_time != 0 && is_due && seconds + life > record.void_time {
        record.void_time = seconds + life;
        record.last_update = seconds;
        record.last_update_ms = now;
    }
}

/// Applies operations in order. Returns the bins that they read.
fn apply_steps(record: &mut Record, steps: &[Step]) -> Result<IndexMap<String, Value>, ResultCode> {
    let mut read = IndexMap::new();
    for step in steps {
        match step {
            Step::Read(bin) => {
                let value = record.bins.get(bin).cloned().unwrap_or(Value::Nil);
                read.insert(bin.clone(), value);
            }
            Step::ReadExpression(name, expression) => {
                let value = filter::evaluate(expression, record);
                read.insert(
                    (*name).to_owned(),
                    value.ok_or(ResultCode::OpNotApplicable)?,
                );
            }
            Step::Put(bin) => put(record, bin),
            Step::PutExpression(bin, expression) => {
                let value = filter::evaluate(expression, record);
                let value = value.ok_or(ResultCode::OpNotApplicable)?;
                put(record, &Bin::new(*bin, value));
            }
            Step::PutEntries(bin, entries) => {
                let map = map(record, bin)?;
                map.extend(
                    entries
                        .iter()
                        .map(|(key, value)| (key.clone(), stored(value))),
                );
            }
            Step::RemoveKeys(bin, keys) => {
                let map = map(record, bin)?;
                map.retain(|key, _| !keys.contains(key));
            }
        }
    }
    Ok(read)
}

fn map<'r>(
    record: &'r mut Record,
    bin: &str,
) -> Result<&'r mut BTreeMap<Value, Value>, ResultCode> {
    let empty = || Value::SortedMap(BTreeMap::new());
    match record.bins.entry(bin.to_owned()).or_insert_with(empty) {
        Value::SortedMap(map) => Ok(map),
        _ => Err(ResultCode::BinTypeError),
    }
}

fn put(record: &mut Record, bin: &Bin) {
    match &bin.value {
        Value::Nil => record.bins.remove(&bin.name),
        value => record.bins.insert(bin.name.clone(), stored(value)),
    };
}

/// Returns a value in the form in which it is read again.
fn stored(value: &Value) -> Value {
    match value {
        Value::Unknown(PARTICLE_MAP, packed) => msgpack::parse(packed),
        Value::Unknown(kind, _) => panic!("a value of type {kind}"),
        value => value.clone(),
    }
}

fn reply(record: &Record, bins: IndexMap<String, Value>) -> Reply {
    let (generation, void_time) = (record.generation, record.void_time);
    Reply::Record(aerospike::Record::new(
        None, bins, None, generation, void_time,
    ))
}
