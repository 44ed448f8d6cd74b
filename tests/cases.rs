//! Runs the inputs of fuzz/cases: for each fuzz target, the shortest inputs that reach code that no other input
//! reaches.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

#[path = "../fuzz/cases/decode.rs"]
mod decode;
#[path = "../fuzz/cases/encode.rs"]
mod encode;
#[path = "../fuzz/cases/merge.rs"]
mod merge;

/// Decodes the inputs, one line of base64 each.
fn inputs(lines: &str) -> Vec<Vec<u8>> {
    let inputs: Vec<_> = lines
        .lines()
        .map(|line| BASE64.decode(line).expect("base64"))
        .collect();
    assert!(inputs.len() > 100);
    inputs
}

#[test]
fn encodes_any_text() {
    for input in inputs(include_str!("../fuzz/cases/encode.txt")) {
        // Like the fuzzer: up to the first byte that is not text.
        let text = match std::str::from_utf8(&input) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&input[..error.valid_up_to()]).expect("text"),
        };
        encode::run(text);
    }
}

#[test]
fn decodes_any_value() {
    for input in inputs(include_str!("../fuzz/cases/decode.txt")) {
        decode::run(&input);
    }
}

#[test]
fn merges_any_sessions() {
    for input in inputs(include_str!("../fuzz/cases/merge.txt")) {
        merge::run(&input);
    }
}
