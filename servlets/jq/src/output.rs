//! What a filter prints, and how much of it is kept.

extern crate alloc; // the macro that prints values names it

use std::fmt::{self, Write};

use jaq_json::write::Pp;
use jaq_json::Val;

use crate::fault;
use crate::filter::{Ended, MAX_NESTING};

/// Bytes of output that are kept. A model reads no more, and an endless filter ends here.
pub const MAX_OUTPUT: usize = 256 << 10;

/// How values are printed.
#[derive(Clone, Copy, Default)]
pub struct Form {
    /// Text is printed as it is, without quotes.
    pub raw: bool,
    pub compact: bool,
    pub sort_keys: bool,
}

/// The values that a filter gave, printed.
pub struct Output {
    text: String,
    form: Form,
    pretty: Pp,
    too_deep: bool,
    cut: bool,
    values: usize,
}

impl Output {
    pub fn new(form: Form) -> Self {
        let pretty = Pp {
            indent: (!form.compact).then(|| "  ".to_owned()),
            sort_keys: form.sort_keys,
            sep_space: !form.compact,
            ..Pp::default()
        };
        Self { text: String::new(), form, pretty, too_deep: false, cut: false, values: 0 }
    }

    /// Prints one value on a line of its own, or many lines.
    pub fn add(&mut self, value: &Val) -> Result<(), Ended> {
        self.values += 1;
        let start = self.text.len();
        let pretty = std::mem::take(&mut self.pretty);
        let printed = match value {
            Val::TStr(text) if self.form.raw => self.write_str(&String::from_utf8_lossy(text)),
            value => print(self, &pretty, 0, value),
        };
        self.pretty = pretty;
        if self.too_deep {
            self.text.truncate(start);
            return Err(format!("value {} of the output is nested deeper than {MAX_NESTING}", self.values).into());
        }
        if printed.and_then(|()| self.write_char('\n')).is_err() {
            return Err(Ended::Enough);
        }
        Ok(())
    }

    /// Returns one value as text, as far as it is kept.
    pub fn one(value: &Val, form: Form) -> Result<String, Ended> {
        let mut output = Self::new(Form { raw: true, ..form });
        output.add(value)?;
        Ok(output.text())
    }

    /// Returns what was printed, with a note where it was cut.
    pub fn text(mut self) -> String {
        if self.text.ends_with('\n') && !self.cut {
            self.text.pop();
        }
        if self.cut {
            let values = self.values;
            let kept = MAX_OUTPUT >> 10;
            self.text.push_str(&format!(
                "\n[cut in value {values}: at most {kept} KiB of output are returned. Let the filter select less, for example with limit(100; ...) or .[:100]]"
            ));
        }
        self.text
    }
}

impl Write for Output {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let room = MAX_OUTPUT - self.text.len();
        if s.len() > room {
            self.text.push_str(fault::prefix(s, room));
            self.cut = true;
            return Err(fmt::Error);
        }
        self.text.push_str(s);
        Ok(())
    }
}

fn print(w: &mut Output, pretty: &Pp, level: usize, v: &Val) -> fmt::Result {
    if level > MAX_NESTING {
        w.too_deep = true;
        return Err(fmt::Error);
    }
    jaq_json::format_val!(w, pretty, level, v, print)
}
