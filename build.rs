//! Link settings of a Node.js addon, by napi's own conventions.

fn main() {
    napi_build::setup();
}
