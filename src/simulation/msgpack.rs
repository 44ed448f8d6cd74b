//! Parses MessagePack that was encoded for the server: values of bins, and expressions.

use std::collections::BTreeMap;

use aerospike::Value;

/// The particle type of a string. It precedes every string that is a value, but not the names of bins.
const PARTICLE_STRING: u8 = 3;
const PARTICLE_BLOB: u8 = 4;

pub fn parse(packed: &[u8]) -> Value {
    let mut reader = Reader(packed);
    let value = reader.value();
    assert!(reader.0.is_empty(), "something behind a packed value");
    value
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .expect("a packed value that ends early");
        self.0 = rest;
        *taken
    }

    fn length<const N: usize>(&mut self) -> usize {
        let bytes = self.take::<N>();
        bytes
            .iter()
            .fold(0, |all, byte| all << 8 | usize::from(*byte))
    }

    fn value(&mut self) -> Value {
        let [first] = self.take();
        match first {
            0..=0x7f => Value::Int(i64::from(first)),
            0xe0..=0xff => Value::Int(i64::from(first as i8)),
            0x80..=0x8f => self.map(usize::from(first & 15)),
            0x90..=0x9f => self.list(usize::from(first & 15)),
            0xa0..=0xbf => self.text(usize::from(first & 31)),
            0xc0 => Value::Nil,
            0xc2 => Value::Bool(false),
            0xc3 => Value::Bool(true),
            0xc4 => {
                let length = self.length::<1>();
                self.text(length)
            }
            0xcb => Value::from(f64::from_be_bytes(self.take())),
            0xcc => Value::Int(i64::from(u8::from_be_bytes(self.take()))),
            0xcd => Value::Int(i64::from(u16::from_be_bytes(self.take()))),
            0xce => Value::Int(i64::from(u32::from_be_bytes(self.take()))),
            0xcf | 0xd3 => Value::Int(i64::from_be_bytes(self.take())),
            0xd0 => Value::Int(i64::from(i8::from_be_bytes(self.take()))),
            0xd1 => Value::Int(i64::from(i16::from_be_bytes(self.take()))),
            0xd2 => Value::Int(i64::from(i32::from_be_bytes(self.take()))),
            0xd9 => {
                let length = self.length::<1>();
                self.text(length)
            }
            0xda => {
                let length = self.length::<2>();
                self.text(length)
            }
            0xdc => {
                let length = self.length::<2>();
                self.list(length)
            }
            0xde => {
                let length = self.length::<2>();
                self.map(length)
            }
            other => panic!("packed as {other:#x}, which no session of a history is"),
        }
    }

    fn text(&mut self, length: usize) -> Value {
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        if let Some(bytes) = text.strip_prefix(&[PARTICLE_BLOB]) {
            return Value::Blob(bytes.to_vec());
        }
        let text = text.strip_prefix(&[PARTICLE_STRING]).unwrap_or(text);
        Value::String(String::from_utf8(text.to_vec()).expect("text"))
    }

    fn list(&mut self, length: usize) -> Value {
        Value::List((0..length).map(|_| self.value()).collect())
    }

    fn map(&mut self, length: usize) -> Value {
        let mut map = BTreeMap::new();
        for _ in 0..length {
            if self.0.first() == Some(&0xc7) {
                // The marker of a sorted map: an extension without data, and nil.
                self.take::<4>();
            } else {
                let key = self.value();
                map.insert(key, self.value());
            }
        }
        Value::SortedMap(map)
    }
}
