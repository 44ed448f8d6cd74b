//! Text from JavaScript, copied once.

use std::ffi::c_char;

use napi::bindgen_prelude::*;
use napi::{check_status, sys};

/// UTF-16 units up to which a buffer is allocated for the longest possible UTF-8 text. For longer texts V8 computes the length first,
/// which reads them twice.
const MAX_SHORT: usize = 4_096;
/// The most bytes of UTF-8 for one UTF-16 unit.
const MAX_BYTES_PER_UNIT: usize = 3;

/// A string argument. napi's own conversion reads every text twice.
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
        // SAFETY: without a buffer the call only returns the length, which V8 stores.
        let status =
            unsafe { sys::napi_get_value_string_utf16(env, value, no_buffer, 0, &mut units) };
        check_status!(status, "a string was expected")?;
        if units > MAX_SHORT {
            // SAFETY: the caller guarantees that `env` and `value` are valid.
            return unsafe { String::from_napi_value(env, value) }.map(Text);
        }
        let room = units * MAX_BYTES_PER_UNIT + 1;
        let mut bytes: Vec<u8> = Vec::with_capacity(room);
        let mut written = 0;
        // SAFETY: the buffer has room for `room` bytes. `written` counts the bytes without the final NUL.
        check_status!(unsafe {
            let buffer = bytes.as_mut_ptr().cast::<c_char>();
            sys::napi_get_value_string_utf8(env, value, buffer, room, &mut written)
        })?;
        // SAFETY: these bytes have been written above, and fit.
        unsafe { bytes.set_len(written) };
        // V8 writes UTF-8; a lone surrogate becomes U+FFFD.
        let text = String::from_utf8(bytes)
            .map_err(|_| Error::new(Status::StringExpected, "a string was expected"))?;
        Ok(Text(text))
    }
}
