// The benchmarks' servlet in Rust, with its standard library alone: the same work as in go/main.go.
use std::collections::HashMap;
use std::sync::OnceLock;

#[link(wasm_import_module = "writ1")]
extern "C" {
    fn input_len() -> u32;
    fn input_read(to: *mut u8, len: u32, offset: u32) -> i32;
    fn output_write(from: *const u8, len: u32) -> i32;
    fn error_write(from: *const u8, len: u32) -> i32;
}

extern "C" {
    fn __wasm_call_ctors();
}

// The table that a call looks one entry up in.
static TABLE: OnceLock<HashMap<String, i64>> = OnceLock::new();

fn table() -> &'static HashMap<String, i64> {
    TABLE.get_or_init(|| (0..2000).map(|i| (format!("key-{i:04}"), i)).collect())
}

#[no_mangle]
pub extern "C" fn _initialize() {
    unsafe { __wasm_call_ctors() }
    table();
}

// The arguments of a call.
#[derive(Default)]
struct Arguments<'a> {
    op: &'a str,
    text: &'a str,
    sum: i64,
}

// A reader of JSON: what is left of the text. None is an error.
struct Reader<'a>(&'a str);

impl<'a> Reader<'a> {
    fn take(&mut self, c: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(c)?;
        Some(())
    }

    fn sees(&self, c: char) -> bool {
        self.0.trim_start().starts_with(c)
    }

    // A string without escapes.
    fn text(&mut self) -> Option<&'a str> {
        self.take('"')?;
        let (text, rest) = self.0.split_once('"')?;
        self.0 = rest;
        (!text.contains('\\')).then_some(text)
    }

    fn numbers(&mut self) -> Option<i64> {
        self.take('[')?;
        let (list, rest) = self.0.split_once(']')?;
        self.0 = rest;
        list.split(',').map(|n| n.trim().parse::<i64>().ok()).sum()
    }

    fn object(&mut self, a: &mut Arguments<'a>) -> Option<()> {
        self.take('{')?;
        while !self.sees('}') {
            let name = self.text()?;
            self.take(':')?;
            match name {
                "params" | "arguments" => self.object(a)?,
                "op" => a.op = self.text()?,
                "text" => a.text = self.text()?,
                "nums" => a.sum = self.numbers()?,
                _ => drop(self.text()?),
            }
            if self.sees(',') {
                self.take(',')?;
            }
        }
        self.take('}')
    }
}

fn answer(input: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(input).map_err(|_| "the request is no UTF-8")?;
    let mut a = Arguments::default();
    Reader(text).object(&mut a).ok_or("the request is not understood")?;
    if a.op != "sum" {
        return Err("no such op");
    }
    let entry = a.text.get(..8).and_then(|key| table().get(key)).copied().unwrap_or(-1);
    Ok(format!(r#"{{"content":[{{"type":"text","text":"sum {}, entry {}: {}"}}]}}"#, a.sum, entry, a.text))
}

#[no_mangle]
pub extern "C" fn servlet_call() -> i32 {
    let mut input = vec![0; unsafe { input_len() } as usize];
    unsafe { input_read(input.as_mut_ptr(), input.len() as u32, 0) };
    match answer(&input) {
        Ok(out) => {
            unsafe { output_write(out.as_ptr(), out.len() as u32) };
            0
        }
        Err(why) => {
            unsafe { error_write(why.as_ptr(), why.len() as u32) };
            1
        }
    }
}

#[no_mangle]
pub extern "C" fn servlet_describe() -> i32 {
    let tools = r#"{"tools":[{"name":"work","description":"Adds numbers","annotations":{"readOnlyHint":true,"openWorldHint":false},"inputSchema":{"type":"object","properties":{"op":{"type":"string"},"nums":{"type":"array","items":{"type":"integer"}},"text":{"type":"string"}},"required":["op"]}}]}"#;
    unsafe { output_write(tools.as_ptr(), tools.len() as u32) };
    0
}
