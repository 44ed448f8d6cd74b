#![no_main]

#[path = "../cases/encode.rs"]
mod case;

libfuzzer_sys::fuzz_target!(|text: &str| case::run(text));
