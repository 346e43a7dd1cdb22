//! The texts of what is wrong with a filter or its input: what, where and what to do.

use std::fmt::Write;

use jaq_core::{compile, load};

/// Characters of a filter's own error that are passed on: it may hold all of the input.
const MAX_ERROR: usize = 1_000;

/// Refuses text whose brackets are inside each other more than `most` times. Readers of nested text call
/// themselves, so that deeper text would use up the stack. `quoted` has those in strings count as well: in
/// a filter, \( in a string starts another filter.
pub fn nesting(what: &str, text: &str, most: usize, quoted: bool) -> Result<(), String> {
    let (mut depth, mut inside, mut escaped) = (0usize, false, false);
    for (at, c) in text.bytes().enumerate() {
        match c {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b'[' | b'{' | b'(' if quoted || !inside => {
                depth += 1;
                if depth > most {
                    return Err(format!("the {what} is nested deeper than {most} at {}", place(text, at)));
                }
            }
            b']' | b'}' | b')' if quoted || !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Names a byte of a text as a person counts: lines and characters, from 1.
fn place(text: &str, at: usize) -> String {
    let before = prefix(text, at);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

/// Tells what is wrong with the input. The reader's error starts with the byte offset.
pub fn unreadable(text: &str, error: &jaq_json::read::Error) -> String {
    let said = error.to_string();
    let (at, why) = match said.strip_prefix("byte offset ").and_then(|s| s.split_once(": ")) {
        Some((at, why)) => (at.parse().unwrap_or(0), why),
        None => (0, said.as_str()),
    };
    let place = place(text, at);
    format!("the input is not JSON at {place}: {why}")
}

/// Tells why a filter is none, with the place and the line.
pub fn of_loading(code: &str, errors: load::Errors<&str, ()>) -> String {
    let all = errors.into_iter().flat_map(|(_, error)| match error {
        load::Error::Io(errors) => errors.into_iter().map(|(path, why)| (path, format!("cannot load {path:?}: {why}"))).collect::<Vec<_>>(),
        load::Error::Lex(errors) => errors.into_iter().map(|(expected, found)| (found, expects(expected.as_str(), found))).collect(),
        load::Error::Parse(errors) => errors.into_iter().map(|(expected, found)| (found, expects(expected.as_str(), found))).collect(),
    });
    marked(code, all)
}

/// Tells which names a filter uses that are not there, with the place and the line.
pub fn of_compiling(code: &str, errors: compile::Errors<&str, ()>) -> String {
    let all = errors.into_iter().flat_map(|(_, errors)| errors).map(|(found, undefined)| {
        let takes = match undefined {
            compile::Undefined::Filter(0) => " without arguments",
            compile::Undefined::Filter(1) => " with an argument",
            compile::Undefined::Filter(n) => return (found, format!("there is no filter called {found} with {n} arguments")),
            _ => "",
        };
        (found, format!("there is no {} called {found}{takes}", undefined.as_str()))
    });
    marked(code, all)
}

fn expects(expected: &str, found: &str) -> String {
    match found.chars().next() {
        None => format!("expected {expected}, but the filter ends here"),
        Some(c) => format!("expected {expected}, found {c:?}"),
    }
}

/// Says the first few errors, each with the line that it is in and a mark below the place.
fn marked<'a>(code: &str, errors: impl Iterator<Item = (&'a str, String)>) -> String {
    let mut text = String::from("the filter cannot be used:");
    for (found, why) in errors.take(3) {
        // A name that the filter does not hold is one of the library's definitions.
        let inside = code.as_bytes().as_ptr_range();
        let at = match found.as_ptr() {
            p if (inside.start..=inside.end).contains(&p) => load::span(code, found).start,
            _ => code.len(),
        };
        let before = prefix(code, at);
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = code[start..].lines().next().unwrap_or_default();
        let column = before[start..].chars().count();
        let _ = write!(text, "\n{}: {why}", place(code, at));
        if line.chars().count() <= 200 {
            let _ = write!(text, "\n  {line}\n  {:column$}^", "");
        }
    }
    text
}

/// Returns the text, or the beginning of a long one.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_ERROR) {
        Some((at, _)) => format!("{}... (cut)", &text[..at]),
        None => text.to_owned(),
    }
}

/// Returns at most the first `most` bytes, and no half character.
pub fn prefix(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
