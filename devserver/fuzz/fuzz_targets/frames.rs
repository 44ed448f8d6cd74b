//! Any bytes on one connection: frames and their contents.
#![no_main]

use aerospike_session_devserver::fuzzing::Server;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| Server::default().stream(bytes));
