//! Whether a text is too large to be stored, found out without taking it apart.

/// Bytes of text that one stored byte can come from, at the most: `\u0001`, or `false,`.
const MOST_TEXT: usize = 6;

/// Whether `json`, however it is packed, takes more than `limit` bytes.
///
/// A character of a string takes a byte, and so does every string, every key and every value besides. JSON may write a
/// character as `\u0001`.
pub fn is_larger(json: &str, limit: usize) -> bool {
    if json.len() <= limit {
        return false;
    }
    if json.len() / MOST_TEXT > limit {
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
    use super::super::encode::{object, Encoded};
    use super::is_larger;

    /// Texts whose packed form is as much shorter as may be.
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
    fn nothing_is_refused_that_fits() {
        for text in texts() {
            let Ok(Encoded::Map(packed)) = object(&text) else {
                panic!("{text}");
            };
            assert!(!is_larger(&text, packed.len()), "{text}");
        }
    }

    #[test]
    fn what_is_much_too_large_is_found_to_be() {
        for text in texts() {
            assert!(is_larger(&text, 190), "{text}");
        }
    }
}
