//! What fuzzing has found, run again: of each target the shortest inputs that reach what no other does (fuzz/cases).

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;

#[path = "../fuzz/cases/decode.rs"]
mod decode;
#[path = "../fuzz/cases/encode.rs"]
mod encode;
#[path = "../fuzz/cases/merge.rs"]
mod merge;

/// Inputs, a line of base64 each.
fn inputs(lines: &str) -> Vec<Vec<u8>> {
    let inputs: Vec<_> = lines
        .lines()
        .map(|line| BASE64.decode(line).expect("base64"))
        .collect();
    assert!(inputs.len() > 100);
    inputs
}

#[test]
fn any_text_as_a_session() {
    for input in inputs(include_str!("../fuzz/cases/encode.txt")) {
        // As the fuzzer does: as far as it is text.
        let text = match std::str::from_utf8(&input) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&input[..error.valid_up_to()]).expect("text"),
        };
        encode::run(text);
    }
}

#[test]
fn any_value_of_a_server() {
    for input in inputs(include_str!("../fuzz/cases/decode.txt")) {
        decode::run(&input);
    }
}

#[test]
fn any_sessions_merged() {
    for input in inputs(include_str!("../fuzz/cases/merge.txt")) {
        merge::run(&input);
    }
}
