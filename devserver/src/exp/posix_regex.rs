//! Translates POSIX regular expressions (`regcomp()`), which the server uses, for the crate `regex`.
//!
//! Back references, which the crate does not support, are refused like an invalid expression.

use regex::bytes::{Regex, RegexBuilder};

use crate::wire::result::{Outcome, ResultCode};

/// The options of `regcomp()`, as on Linux.
mod option {
    pub const EXTENDED: i64 = 1;
    pub const IGNORE_CASE: i64 = 2;
    pub const NEWLINE: i64 = 4;
}

/// Maximum size of a compiled pattern, in bytes.
const MAX_COMPILED: usize = 1024 * 1024;

/// Compiles a pattern. It ends at the first NUL, as C strings do.
///
/// # Errors
/// [`ResultCode::PARAMETER`] if the pattern is invalid.
pub fn compile(pattern: &[u8], options: i64) -> Outcome<Regex> {
    const INVALID: ResultCode = ResultCode::PARAMETER;
    let pattern = std::str::from_utf8(c_string(pattern)).map_err(|_| INVALID)?;
    let has = |flag: i64| options & flag != 0;
    let mut translation = Translation {
        rest: pattern.chars().collect(),
        is_extended: has(option::EXTENDED),
        is_newline_sensitive: has(option::NEWLINE),
        is_start: true,
    };
    translation.rest.reverse();
    let translated = translation.run().ok_or(INVALID)?;
    RegexBuilder::new(&translated)
        .unicode(false)
        .case_insensitive(has(option::IGNORE_CASE))
        .multi_line(has(option::NEWLINE))
        .dot_matches_new_line(!has(option::NEWLINE))
        .size_limit(MAX_COMPILED)
        .build()
        .map_err(|_| INVALID)
}

/// Whether the pattern matches anywhere in a text.
pub fn is_match(regex: &Regex, text: &[u8]) -> bool {
    regex.is_match(c_string(text))
}

fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

struct Translation {
    /// The rest of the pattern in reverse order.
    rest: Vec<char>,
    is_extended: bool,
    is_newline_sensitive: bool,
    /// Whether this is the beginning of the pattern, a group or an alternative, where nothing can be repeated.
    is_start: bool,
}

impl Translation {
    fn run(mut self) -> Option<String> {
        let mut out = String::new();
        while let Some(next) = self.rest.pop() {
            let was_start = std::mem::replace(&mut self.is_start, false);
            match next {
                '[' => out.push_str(&self.bracket()?),
                '\\' => self.escaped(&mut out, was_start)?,
                '.' => out.push('.'),
                '*' if was_start => out.push_str(r"\*"),
                '*' => out.push('*'),
                '^' if self.is_extended || was_start => {
                    self.is_start = true;
                    out.push('^');
                }
                '$' if self.is_extended || self.is_end() => out.push('$'),
                '(' | ')' | '|' | '{' | '}' | '+' | '?' if self.is_extended => {
                    self.operator(next, &mut out);
                }
                plain => push_literal(plain, &mut out),
            }
        }
        Some(out)
    }

    fn operator(&mut self, operator: char, out: &mut String) {
        self.is_start = matches!(operator, '(' | '|');
        out.push(operator);
    }

    /// Translates a character after a backslash: an operator in a basic expression, a literal in an extended one.
    fn escaped(&mut self, out: &mut String, was_start: bool) -> Option<()> {
        match self.rest.pop()? {
            operator @ ('(' | ')' | '|' | '{' | '}') if !self.is_extended => {
                self.operator(operator, out);
            }
            operator @ ('+' | '?') if !self.is_extended && !was_start => out.push(operator),
            class @ ('w' | 'W' | 's' | 'S' | 'b' | 'B') => {
                out.push('\\');
                out.push(class);
            }
            '<' => out.push_str(r"\b{start}"),
            '>' => out.push_str(r"\b{end}"),
            '`' => out.push_str(r"\A"),
            '\'' => out.push_str(r"\z"),
            '1'..='9' => return None,
            plain => push_literal(plain, out),
        }
        Some(())
    }

    /// Whether a `$` in a basic expression is at the end of the pattern, a group or an alternative.
    fn is_end(&self) -> bool {
        match self.rest.as_slice() {
            [] => true,
            [.., operator, '\\'] => matches!(operator, ')' | '|'),
            _ => false,
        }
    }

    /// Translates a bracket expression, where a backslash is a literal.
    fn bracket(&mut self) -> Option<String> {
        let mut out = String::from("[");
        if self.rest.last() == Some(&'^') {
            self.rest.pop();
            out.push('^');
            if self.is_newline_sensitive {
                out.push_str(r"\n");
            }
        }
        let mut is_first = true;
        loop {
            match self.rest.pop()? {
                ']' if !is_first => break,
                '[' if self.rest.last() == Some(&':') => {
                    let mut name = String::from("[");
                    while !name.ends_with(":]") || name.len() < 4 {
                        name.push(self.rest.pop()?);
                    }
                    out.push_str(&name);
                }
                // Collating symbols and equivalence classes.
                '[' if matches!(self.rest.last(), Some('.' | '=')) => return None,
                '-' if is_first || self.rest.last() == Some(&']') => out.push_str(r"\-"),
                '-' => out.push('-'),
                plain => push_literal(plain, &mut out),
            }
            is_first = false;
        }
        out.push(']');
        Some(out)
    }
}

fn push_literal(plain: char, out: &mut String) {
    if plain.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(plain);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn matches(pattern: &str, options: i64, text: &str) -> bool {
        is_match(
            &compile(pattern.as_bytes(), options).unwrap(),
            text.as_bytes(),
        )
    }

    #[test]
    fn basic_expressions_escape_their_operators() {
        assert!(matches("a|b", 0, "a|b") && !matches("a|b", 0, "a"));
        assert!(matches(r"\(a\)*c\{2\}", 0, "aacc"));
        assert!(matches("*a^b$c", 0, "*a^b$c"));
    }

    #[test]
    fn extended_expressions_do_not_escape_their_operators() {
        assert!(matches("^(a|b)+c{2}$", option::EXTENDED, "abcc"));
        assert!(matches(r"\(a\)", option::EXTENDED, "(a)"));
    }

    #[test]
    fn brackets_contain_literals() {
        assert!(matches(r"^[]\&[]*$", 0, r"]\&["));
        assert!(matches("^[[:digit:]-]*$", 0, "1-2") && !matches("^[^a-c]$", 0, "b"));
    }

    #[test]
    fn options_change_case_and_line_matching() {
        assert!(matches("A", option::IGNORE_CASE, "a") && !matches("A", 0, "a"));
        assert!(matches("^b", option::NEWLINE, "a\nb") && !matches("^b", 0, "a\nb"));
        assert!(matches("a.b", 0, "a\nb") && !matches("a[^c]b", option::NEWLINE, "a\nb"));
    }

    #[test]
    fn rejects_invalid_patterns() {
        for pattern in ["[", r"\(a", r"\1", "a\\"] {
            assert!(compile(pattern.as_bytes(), 0).is_err());
        }
    }
}
