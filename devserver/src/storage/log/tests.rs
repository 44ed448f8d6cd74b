//! Damaged and truncated data files.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::record_entry::{Change, RecordEntry};
use super::{Log, frame, header};
use crate::config::NamespaceConfig;
use crate::storage::namespace::Namespace;
use crate::storage::record::{BinName, Digest, Record};
use crate::wire::particle::Particle;

/// A change to one of a few records.
#[derive(Clone, Debug)]
enum Op {
    Put { id: u8, value: Vec<u8> },
    Remove { id: u8 },
}

/// The contents of a namespace: generation and value of each record.
type State = BTreeMap<Digest, (u16, Particle)>;

fn digest(id: u8) -> Digest {
    [id; 20]
}

fn text(value: &[u8]) -> Particle {
    Particle::Bytes(3, Arc::from(value))
}

fn namespaces() -> Vec<Arc<Namespace>> {
    vec![Arc::new(Namespace::new(NamespaceConfig::new("test")))]
}

fn apply(namespace: &Namespace, op: &Op) {
    match op {
        Op::Put { id, value } => {
            let mut slot = namespace.lock(&digest(*id));
            let set_id = namespace.sets.get_or_create(b"people").unwrap();
            let mut record = Record::new(set_id);
            record.generation = slot.any().map_or(0, |old| old.generation) + 1;
            record.bins.set(BinName::new(b"data").unwrap(), text(value));
            slot.put(record).unwrap();
        }
        Op::Remove { id } => namespace.lock(&digest(*id)).remove().unwrap(),
    }
}

fn state_of(namespaces: &[Arc<Namespace>]) -> State {
    let mut state = State::new();
    namespaces[0].for_each(|_, digest, record| {
        let value = record.bins.get(b"data").unwrap().clone();
        state.insert(*digest, (record.generation, value));
    });
    state
}

/// A data file in a directory of its own.
struct Case {
    _directory: TempDir,
    path: PathBuf,
}

impl Case {
    fn new() -> Case {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        Case {
            _directory: directory,
            path,
        }
    }

    /// Executes changes. Returns the offset of each, with the length of the file as the last; and the state after
    /// each.
    fn write(&self, ops: &[Op]) -> (Vec<usize>, Vec<State>) {
        let namespaces = namespaces();
        let log = Log::open(&self.path, &namespaces).unwrap();
        let length = || fs::metadata(&self.path).unwrap().len() as usize;
        let (mut starts, mut states) = (vec![length()], vec![State::new()]);
        for op in ops {
            apply(&namespaces[0], op);
            starts.push(length());
            states.push(state_of(&namespaces));
        }
        log.close();
        (starts, states)
    }

    /// Opens a file with these bytes. Returns its contents and the warning.
    fn open(&self, bytes: &[u8]) -> (State, Option<String>) {
        fs::write(&self.path, bytes).unwrap();
        self.reopen()
    }

    fn reopen(&self) -> (State, Option<String>) {
        let namespaces = namespaces();
        let log = Log::open(&self.path, &namespaces).unwrap();
        log.close();
        (state_of(&namespaces), log.warning().map(str::to_owned))
    }

    fn kept(&self, number: u32) -> PathBuf {
        PathBuf::from(format!("{}.damaged-{number}", self.path.display()))
    }
}

fn put(id: u8, value: &str) -> Op {
    Op::Put {
        id,
        value: value.into(),
    }
}

fn some_ops() -> Vec<Op> {
    vec![
        put(1, "one"),
        put(2, "two"),
        put(1, "one again"),
        Op::Remove { id: 2 },
        put(3, "three"),
        put(4, "a value that is a little longer than the others"),
        Op::Remove { id: 1 },
        put(5, ""),
        put(4, "four"),
    ]
}

/// Returns the values after all changes but one. Generations count the changes, so they are not compared.
fn values_without(ops: &[Op], left_out: Option<usize>) -> BTreeMap<Digest, Particle> {
    let mut values = BTreeMap::new();
    for (n, op) in ops.iter().enumerate() {
        match op {
            _ if Some(n) == left_out => None,
            Op::Put { id, value } => values.insert(digest(*id), text(value)),
            Op::Remove { id } => values.remove(&digest(*id)),
        };
    }
    values
}

fn values(state: &State) -> BTreeMap<Digest, Particle> {
    let pairs = state.iter();
    pairs
        .map(|(digest, (_, value))| (*digest, value.clone()))
        .collect()
}

#[test]
fn any_damaged_byte_loses_at_most_its_own_change() {
    let case = Case::new();
    let ops = some_ops();
    let (starts, _) = case.write(&ops);
    let whole = fs::read(&case.path).unwrap();
    let everything = values_without(&ops, None);
    for at in 0..whole.len() {
        for flip in [1, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let (state, warning) = case.open(&bytes);
            let op = starts.iter().rposition(|start| *start <= at);
            let without = match op.map(|op| &ops[op]) {
                Some(Op::Put { .. }) => values_without(&ops, op),
                // A delete is written twice.
                _ => everything.clone(),
            };
            assert_eq!(values(&state), without, "byte {at} ^ {flip:#x}");
            let warning = warning.unwrap();
            assert!(warning.contains("is damaged"), "{warning}");
            assert_eq!(fs::read(case.kept(1)).unwrap(), bytes);
            fs::remove_file(case.kept(1)).unwrap();
            if flip == 1 {
                assert_eq!(case.reopen(), (state, None), "the new file is whole");
                assert!(!case.kept(1).exists());
            }
        }
    }
}

#[test]
fn a_truncated_file_loses_only_its_end_and_is_not_damaged() {
    let case = Case::new();
    let ops = some_ops();
    let (starts, states) = case.write(&ops);
    let whole = fs::read(&case.path).unwrap();
    for length in 0..whole.len() {
        let (state, warning) = case.open(&whole[..length]);
        let count = starts
            .iter()
            .rposition(|start| *start <= length)
            .unwrap_or(0);
        // The first copy of a delete is enough.
        let may_be_more = matches!(ops.get(count), Some(Op::Remove { .. }));
        assert!(
            state == states[count] || may_be_more && state == states[count + 1],
            "{length} bytes"
        );
        assert_eq!(warning, None, "{length} bytes");
        // Later writes are read back.
        if length % 7 == 0 {
            case.write_more(&put(9, "nine"));
            let (state, warning) = case.reopen();
            assert_eq!(state[&digest(9)].1, text(b"nine"));
            assert_eq!(warning, None);
        }
    }
    assert!(!case.kept(1).exists());
}

impl Case {
    fn write_more(&self, op: &Op) {
        let namespaces = namespaces();
        let log = Log::open(&self.path, &namespaces).unwrap();
        apply(&namespaces[0], op);
        log.close();
    }
}

#[test]
fn keeps_each_damaged_file_under_its_own_name() {
    let case = Case::new();
    case.write(&some_ops());
    for number in 1..=3 {
        let mut bytes = fs::read(&case.path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let (_, warning) = case.open(&bytes);
        assert_eq!(fs::read(case.kept(number)).unwrap(), bytes);
        let name = format!("data.damaged-{number}");
        assert!(warning.unwrap().ends_with(&name));
    }
}

#[test]
fn reports_foreign_bytes_at_the_end_as_damage() {
    let case = Case::new();
    let ops = some_ops();
    case.write(&ops);
    let mut bytes = fs::read(&case.path).unwrap();
    bytes.extend_from_slice(&[0; 100]);
    let (state, warning) = case.open(&bytes);
    assert_eq!(values(&state), values_without(&ops, None));
    assert!(warning.unwrap().contains("100 bytes at offset"));
}

/// Returns a file in the format of earlier versions: no marker, and each entry with its length and CRC-32 only.
fn old_file(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let header::Header::Current { marker, .. } = header::read(&bytes[..header::SIZE]) else {
        panic!("no header");
    };
    let mut old = header::OLD_MAGIC.to_vec();
    let mut rest = &bytes[header::SIZE..];
    while let frame::FrameRead::Entry(content) = frame::read(&mut rest, &marker).unwrap() {
        old.extend_from_slice(&(content.len() as u32).to_be_bytes());
        old.extend_from_slice(&crc32fast::hash(&content).to_be_bytes());
        old.extend_from_slice(&content);
    }
    old
}

#[test]
fn upgrades_a_file_of_an_earlier_version() {
    let case = Case::new();
    let ops = some_ops();
    case.write(&ops);
    let old = old_file(&case.path);
    let (state, warning) = case.open(&old);
    assert_eq!(values(&state), values_without(&ops, None));
    assert_eq!(warning, None);
    assert!(fs::read(&case.path).unwrap().starts_with(b"asdevlg2"));
    assert_eq!(case.reopen(), (state, None));

    // A damaged file is kept and reported. Entries after the damage cannot be found.
    let mut damaged = old.clone();
    damaged[old.len() / 2] ^= 1;
    let (state, warning) = case.open(&damaged);
    assert!(!state.is_empty());
    assert!(warning.unwrap().contains("is damaged"));
    assert_eq!(fs::read(case.kept(1)).unwrap(), damaged);
}

/// A change of a part of a file.
#[derive(Clone, Debug)]
enum Corruption {
    Overwrite { at: usize, with: Vec<u8> },
    CutOut { at: usize, length: usize },
    Insert { at: usize, what: Vec<u8> },
}

fn op() -> impl Strategy<Value = Op> {
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        // A value that looks like an entry, in the format of an earlier version or with a guessed marker.
        any::<u8>().prop_map(forged),
    ];
    prop_oneof![
        3 => (0..6u8, value).prop_map(|(id, value)| Op::Put { id, value }),
        1 => (0..6u8).prop_map(|id| Op::Remove { id }),
    ]
}

fn forged(id: u8) -> Vec<u8> {
    let entry = RecordEntry {
        namespace: "test",
        digest: digest(id % 6),
        change: Change::Delete,
    };
    let mut bytes = Vec::new();
    entry.write(b"a marker", &mut bytes);
    let content = bytes[frame::HEADER_SIZE..bytes.len() / 2].to_vec();
    bytes.extend_from_slice(&(content.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&crc32fast::hash(&content).to_be_bytes());
    bytes.extend_from_slice(&content);
    bytes
}

fn corruption() -> impl Strategy<Value = Corruption> {
    let bytes = || prop::collection::vec(any::<u8>(), 1..80);
    let at = || any::<prop::sample::Index>().prop_map(|index| index.index(1 << 20));
    prop_oneof![
        (at(), bytes()).prop_map(|(at, with)| Corruption::Overwrite { at, with }),
        (at(), 1..80usize).prop_map(|(at, length)| Corruption::CutOut { at, length }),
        (at(), bytes()).prop_map(|(at, what)| Corruption::Insert { at, what }),
    ]
}

/// Corrupts a file after its header. Returns the bytes, and the damaged range of the original.
fn corrupted(whole: &[u8], corruption: &Corruption) -> (Vec<u8>, std::ops::Range<usize>) {
    let mut bytes = whole.to_vec();
    let place = |at: usize| header::SIZE + at % (whole.len() - header::SIZE);
    match corruption {
        Corruption::Overwrite { at, with } => {
            let start = place(*at);
            let end = (start + with.len()).min(bytes.len());
            bytes[start..end].copy_from_slice(&with[..end - start]);
            (bytes, start..end)
        }
        Corruption::CutOut { at, length } => {
            let start = place(*at);
            let end = (start + length).min(bytes.len());
            bytes.drain(start..end);
            (bytes, start..end)
        }
        Corruption::Insert { at, what } => {
            let start = place(*at);
            bytes.splice(start..start, what.iter().copied());
            (bytes, start..start)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn loses_only_damaged_changes(
        ops in prop::collection::vec(op(), 1..30),
        corruption in corruption(),
    ) {
        let case = Case::new();
        // There is at least one change to corrupt.
        let ops = [vec![put(0, "first")], ops].concat();
        let (starts, _) = case.write(&ops);
        let whole = fs::read(&case.path).unwrap();
        let (bytes, damage) = corrupted(&whole, &corruption);
        let (state, _) = case.open(&bytes);
        let is_corrupted = |n: usize| starts[n] < damage.end.max(damage.start + 1) && damage.start < starts[n + 1];
        // Deleting a missing record writes nothing, so it cannot repeat an earlier damaged delete.
        let is_written = |n: usize| starts[n] < starts[n + 1];
        for id in 0..6u8 {
            // All possible states of the record: each damaged change may or may not count.
            let mut may_be = vec![None];
            for (n, op) in ops.iter().enumerate().filter(|(n, _)| is_written(*n)) {
                let after = match op {
                    Op::Put { id: of, value } if *of == id => Some(text(value)),
                    Op::Remove { id: of } if *of == id => None,
                    _ => continue,
                };
                if !is_corrupted(n) {
                    may_be.clear();
                }
                may_be.push(after);
            }
            let found = state.get(&digest(id)).map(|(_, value)| value.clone());
            prop_assert!(may_be.contains(&found), "record {}: {:?}", id, found);
        }
    }
}
