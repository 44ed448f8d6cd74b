//! Messages with valid lengths and arbitrary contents, so that the code behind the parser is reached.
//!
//! There are few records and names, so that commands use the same record. Values, expressions and list and map
//! operations are arbitrary bytes.
#![no_main]

use aerospike_session_devserver::fuzzing::Server;
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

const MAX_COMMANDS: usize = 8;
/// Partitions are the first 12 bits of a digest: two of the records share one.
const DIGESTS: [[u8; 20]; 3] = [[1; 20], [2; 20], {
    let mut digest = [1; 20];
    digest[19] = 0;
    digest
}];
const BINS: [&str; 4] = ["", "a", "b", "c"];

#[derive(Arbitrary, Debug)]
struct Command<'a> {
    info: [u8; 3],
    generation: u8,
    ttl: Ttl,
    place: Place<'a>,
    in_set: bool,
    filter: Option<&'a [u8]>,
    fields: Vec<(FieldType, &'a [u8])>,
    ops: Vec<Op<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Ttl {
    Seconds(u8),
    Word(u32),
}

/// The target of a command.
#[derive(Arbitrary, Debug)]
enum Place<'a> {
    Record(u8),
    Query { index_range: Option<&'a [u8]> },
    Batch { flags: u8, rows: Vec<Row<'a>> },
    Nothing,
}

#[derive(Arbitrary, Debug)]
struct Row<'a> {
    record: u8,
    repeats: bool,
    info: [u8; 3],
    filter: Option<&'a [u8]>,
    ops: Vec<Op<'a>>,
}

#[derive(Arbitrary, Debug)]
enum FieldType {
    Key,
    Digests,
    SampleMax,
    IndexValues,
    IndexName,
    IndexType,
    BinList,
    Any(u8),
}

#[derive(Arbitrary, Debug)]
struct Op<'a> {
    code: Code,
    particle: u8,
    bin: u8,
    value: &'a [u8],
}

#[derive(Arbitrary, Debug)]
enum Code {
    Read,
    Write,
    ReadCollection,
    ChangeCollection,
    ReadExpression,
    WriteExpression,
    Any(u8),
}

impl Op<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let code = match self.code {
            Code::Read => 1,
            Code::Write => 2,
            Code::ReadCollection => 3,
            Code::ChangeCollection => 4,
            Code::ReadExpression => 7,
            Code::WriteExpression => 8,
            Code::Any(code) => code,
        };
        let name = BINS[usize::from(self.bin) % BINS.len()];
        out.extend((4 + name.len() as u32 + self.value.len() as u32).to_be_bytes());
        out.extend([code, self.particle, 0, name.len() as u8]);
        out.extend(name.bytes());
        out.extend(self.value);
    }
}

fn field(kind: u8, data: &[u8], out: &mut Vec<u8>) {
    out.extend((1 + data.len() as u32).to_be_bytes());
    out.push(kind);
    out.extend(data);
}

fn digest(record: u8) -> [u8; 20] {
    DIGESTS[usize::from(record) % DIGESTS.len()]
}

/// The rows of a batch (`as/src/base/batch.c`).
fn batch(flags: u8, rows: &[Row<'_>]) -> Vec<u8> {
    let mut out = (rows.len() as u32).to_be_bytes().to_vec();
    out.push(flags);
    for (index, row) in rows.iter().enumerate() {
        out.extend((index as u32).to_be_bytes());
        out.extend(digest(row.record));
        if row.repeats {
            out.push(1);
            continue;
        }
        out.push(2);
        out.extend(row.info);
        out.extend((1 + u16::from(row.filter.is_some())).to_be_bytes());
        out.extend((row.ops.len() as u16).to_be_bytes());
        field(0, b"test", &mut out);
        if let Some(filter) = row.filter {
            field(43, filter, &mut out);
        }
        row.ops.iter().for_each(|op| op.write(&mut out));
    }
    out
}

impl Command<'_> {
    fn to_message(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        let mut count = 1;
        let mut add = |kind: u8, data: &[u8]| {
            field(kind, data, &mut fields);
            count += 1;
        };
        let mut info = self.info;
        match &self.place {
            Place::Record(record) => add(4, &digest(*record)),
            Place::Query { index_range } => {
                // Done in the partitions where the records are.
                info[2] |= 4;
                add(11, &[1, 1, 2, 2]);
                if let Some(range) = index_range {
                    add(22, range);
                }
            }
            Place::Batch { flags, rows } => {
                info[0] |= 8;
                add(41, &batch(*flags, rows));
            }
            Place::Nothing => {}
        }
        if self.in_set {
            add(1, b"s");
        }
        if let Some(filter) = self.filter {
            add(43, filter);
        }
        for (kind, data) in &self.fields {
            let kind = match kind {
                FieldType::Key => 2,
                FieldType::Digests => 12,
                FieldType::SampleMax => 13,
                FieldType::IndexValues => 15,
                FieldType::IndexName => 21,
                FieldType::IndexType => 26,
                FieldType::BinList => 40,
                FieldType::Any(kind) => *kind,
            };
            add(kind, data);
        }
        let ttl = match self.ttl {
            Ttl::Seconds(seconds) => u32::from(seconds),
            Ttl::Word(word) => word,
        };
        let mut out = vec![22];
        out.extend(info);
        out.extend([0, 0]);
        out.extend(u32::from(self.generation).to_be_bytes());
        out.extend(ttl.to_be_bytes());
        out.extend([0; 4]);
        out.extend((count as u16).to_be_bytes());
        out.extend((self.ops.len() as u16).to_be_bytes());
        field(0, b"test", &mut out);
        out.extend(&fields);
        self.ops.iter().for_each(|op| op.write(&mut out));
        out
    }
}

fuzz_target!(|input: (bool, Vec<Command<'_>>)| {
    let (is_indexed, commands) = input;
    let mut server = Server::default();
    if is_indexed {
        server.info(b"sindex-create:namespace=test;set=s;indexname=i;bin=a;type=numeric\n");
        server.info(b"sindex-create:namespace=test;indexname=j;bin=b;indextype=list;type=string\n");
    }
    for command in commands.iter().take(MAX_COMMANDS) {
        server.message(&command.to_message());
    }
});
