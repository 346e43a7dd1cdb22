//! The texts of what is wrong with a filter or its input: what, where and what to do.

use std::fmt::Write;

use jaq_core::{compile, load};

/// Characters of a filter's own error that are passed on: it may hold all of the input.
const MAX_ERROR: usize = 1_000;

/// Refuses JSON whose brackets are inside each other more than `most` times. Its reader calls itself, so that
/// deeper text would use up the stack.
pub fn input_nesting(text: &str, most: usize) -> Result<(), String> {
    let (mut depth, mut inside) = (0usize, false);
    let mut bytes = text.bytes().enumerate();
    while let Some((at, c)) = bytes.next() {
        match c {
            b'\\' if inside => _ = bytes.next(),
            b'"' => inside = !inside,
            _ if inside => {}
            // The reader skips comments: what is in one opens and closes nothing.
            b'#' => _ = bytes.find(|&(_, c)| c == b'\n'),
            b'[' | b'{' => {
                depth += 1;
                bounded("input", text, at, depth, most)?;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Refuses a filter whose brackets are inside each other more than `most` times, those of `\(` in texts
/// included. It has to see texts and comments where jaq's lexer sees them, or a bracket in one would hide
/// another. From the first place that is no filter on it cannot know, and counts every bracket that opens.
pub fn filter_nesting(code: &str, most: usize) -> Result<(), String> {
    let (mut open, mut inside, mut lost) = (Vec::new(), false, 0usize);
    let mut chars = code.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            _ if lost > 0 => lost += usize::from("([{".contains(c)),
            '\\' if inside => {
                if let Some((_, '(')) = chars.next() {
                    open.push('"');
                    inside = false;
                }
            }
            '"' => inside = !inside,
            _ if inside => {}
            '#' => comment(&mut chars),
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => match (open.pop(), c) {
                (Some('"'), ')') => inside = true,
                (Some('('), ')') | (Some('['), ']') | (Some('{'), '}') => {}
                _ => lost = open.len() + 1,
            },
            _ if c.is_whitespace() || c.is_ascii_alphanumeric() || "_$@|=!<>+-*/%.:;,?".contains(c) => {}
            _ => lost = open.len() + 1,
        }
        bounded("filter", code, at, open.len().max(lost), most)?;
    }
    Ok(())
}

/// Skips the rest of a comment. It goes on in the next line after an odd number of backslashes.
fn comment(chars: &mut impl Iterator<Item = (usize, char)>) {
    let mut odd = false;
    // A carriage return ends a line together with the line feed alone.
    let mut returned = false;
    for (_, c) in chars {
        match c {
            '\n' if !odd => return,
            '\n' => (odd, returned) = (false, false),
            '\r' if !returned => returned = true,
            '\\' if !returned => odd = !odd,
            '\\' => (odd, returned) = (true, false),
            _ => (odd, returned) = (false, false),
        }
    }
}

fn bounded(what: &str, text: &str, at: usize, depth: usize, most: usize) -> Result<(), String> {
    if depth <= most {
        return Ok(());
    }
    Err(format!("the {what} is nested deeper than {most} at {}", place(text, at)))
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
