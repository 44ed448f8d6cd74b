//! Finds texts that are too large to be stored, without parsing them.

/// The maximum number of bytes of text for one stored byte: `\u0001`, or `false,`.
const MAX_TEXT_PER_BYTE: usize = 6;

/// Returns whether `json` needs more than `limit` bytes, however it is packed.
///
/// Each character of a string needs at least a byte. So does, in addition, each string, each key and each value. JSON
/// may write a character as `\u0001`.
pub fn is_larger(json: &str, limit: usize) -> bool {
    if json.len() <= limit {
        return false;
    }
    if json.len() / MAX_TEXT_PER_BYTE > limit {
        return true;
    }
    let mut least = 0;
    let mut is_string = false;
    let mut bytes = json.as_bytes();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        match first {
            b'"' => {
                is_string = !is_string;
                least += usize::from(is_string);
            }
            b'\\' if is_string => {
                least += 1;
                let escape = if rest.starts_with(b"u") { 5 } else { 1 };
                bytes = rest.get(escape..).unwrap_or_default();
            }
            _ if is_string => least += 1,
            b',' | b':' => least += 1,
            _ => {}
        }
        if least > limit {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::encode::{Encoded, object};
    use super::is_larger;

    /// Returns texts whose packed size is as small as possible compared with the text.
    fn texts() -> Vec<String> {
        let numbers: Vec<_> = (0..200).map(|n| n.to_string()).collect();
        let keys: Vec<_> = (0..200).map(|n| format!("\"{n}\":false")).collect();
        vec![
            format!("{{\"a\":[{}]}}", ["false"; 200].join(",")),
            format!("{{\"a\":[{}]}}", ["null"; 200].join(",")),
            format!("{{\"a\":[{}]}}", numbers.join(",")),
            format!("{{\"a\":\"{}\"}}", "\\u0001".repeat(200)),
            format!("{{\"a\":\"{}\"}}", "\\\"\\\\".repeat(200)),
            format!("{{\"a\":\"{}\"}}", "é€".repeat(200)),
            format!("{{\"a\":[{}]}}", ["\"\""; 200].join(",")),
            format!("{{\"a\":[{}]}}", ["{}"; 200].join(",")),
            format!("{{{}}}", keys.join(",")),
        ]
    }

    #[test]
    fn accepts_texts_that_fit() {
        for text in texts() {
            let Ok(Encoded::Map(packed)) = object(&text) else {
                panic!("{text}");
            };
            assert!(!is_larger(&text, packed.len()), "{text}");
        }
    }

    #[test]
    fn finds_texts_that_are_much_too_large() {
        for text in texts() {
            assert!(is_larger(&text, 190), "{text}");
        }
    }
}
