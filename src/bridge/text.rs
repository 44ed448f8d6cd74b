//! Text from JavaScript, copied once.

use std::ffi::c_char;

use napi::bindgen_prelude::*;
use napi::{check_status, sys};

/// Up to so many UTF-16 units room is made for whatever they may come to in UTF-8. V8 is asked for the length of longer
/// texts first, which means to go through them twice.
const SHORT: usize = 4_096;
/// Bytes of UTF-8 that one UTF-16 unit comes to at the most.
const MOST_PER_UNIT: usize = 3;

/// A string argument. napi's own conversion goes through every text twice.
pub struct Text(pub String);

impl TypeName for Text {
    fn type_name() -> &'static str {
        "String"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for Text {}

impl FromNapiValue for Text {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let mut units = 0;
        let no_buffer = std::ptr::null_mut();
        // SAFETY: without a buffer only the length is asked for. V8 has it at hand.
        let status =
            unsafe { sys::napi_get_value_string_utf16(env, value, no_buffer, 0, &mut units) };
        check_status!(status, "a string was expected")?;
        if units > SHORT {
            // SAFETY: the caller's promise.
            return unsafe { String::from_napi_value(env, value) }.map(Text);
        }
        let room = units * MOST_PER_UNIT + 1;
        let mut bytes: Vec<u8> = Vec::with_capacity(room);
        let mut written = 0;
        // SAFETY: the buffer has room for `room` bytes, and what is written of them, a NUL apart, is counted.
        check_status!(unsafe {
            let buffer = bytes.as_mut_ptr().cast::<c_char>();
            sys::napi_get_value_string_utf8(env, value, buffer, room, &mut written)
        })?;
        // SAFETY: these were written just now, and fit.
        unsafe { bytes.set_len(written) };
        // V8 writes UTF-8; a lone surrogate becomes U+FFFD.
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::new(Status::StringExpected, "a string was expected"))?;
        Ok(Text(text))
    }
}
