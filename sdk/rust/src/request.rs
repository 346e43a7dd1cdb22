use serde::de::{Deserialize, IgnoredAny};
use serde_json::Deserializer;

/// The input of a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: String,
    pub(crate) name: String,
    pub(crate) arguments: &'a [u8], // JSON; empty: none
}

/// Reads a request. Members that are not known are ignored, as the interface asks. It is read by hand: derived
/// code would be a tenth of a small servlet.
pub(crate) fn read(input: &[u8]) -> Result<Request<'_>, serde_json::Error> {
    let mut request = Request::default();
    let mut params: &[u8] = b"{}";
    members(input, |name, value| match name {
        "method" => serde_json::from_slice(value).map(|method| request.method = method),
        "params" => {
            params = value;
            Ok(())
        }
        _ => Ok(()),
    })?;
    members(params, |name, value| match name {
        "name" => serde_json::from_slice(value).map(|name| request.name = name),
        "arguments" => {
            request.arguments = value;
            Ok(())
        }
        _ => Ok(()),
    })?;
    Ok(request)
}

// members goes through the members of an object; of each value it hands out the text.
fn members<'a>(object: &'a [u8], mut each: impl FnMut(&str, &'a [u8]) -> Result<(), serde_json::Error>) -> Result<(), serde_json::Error> {
    one::<IgnoredAny>(object)?; // what follows has to look for places only
    let Some(mut rest) = object.trim_ascii().strip_prefix(b"{") else {
        return Err(serde::de::Error::custom("it is no object"));
    };
    loop {
        rest = rest.trim_ascii_start();
        if rest.starts_with(b"}") {
            return Ok(());
        }
        rest = rest.strip_prefix(b",").unwrap_or(rest);
        let (name, after) = one::<String>(rest)?;
        rest = after.trim_ascii_start().strip_prefix(b":").unwrap_or(after);
        let (_, after) = one::<IgnoredAny>(rest)?;
        each(&name, rest[..rest.len() - after.len()].trim_ascii())?;
        rest = after;
    }
}

// one reads the value at the start of a text, and returns what follows it.
fn one<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<(T, &'a [u8]), serde_json::Error> {
    let mut values = Deserializer::from_slice(text).into_iter::<T>();
    match values.next() {
        Some(value) => Ok((value?, &text[values.byte_offset()..])),
        None => serde_json::from_slice(text).map(|value| (value, &text[text.len()..])), // an error: there is none
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_spelling_of_a_request_is_read() {
        for input in [
            r#"{"method":"tools/call","params":{"name":"add","arguments":{"a":[1,{}],"b":"}"}}}"#,
            r#" { "jsonrpc" : "2.0", "params" : { "_meta":{"x":[]}, "arguments" : {"a":[1,{}],"b":"}"} , "name":"\u0061dd"} ,"method":"tools\/call" } "#,
        ] {
            let want = Request { method: "tools/call".into(), name: "add".into(), arguments: br#"{"a":[1,{}],"b":"}"}"# };
            assert_eq!(read(input.as_bytes()).unwrap(), want, "{input}");
        }
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for input in
            ["", " ", "[]", "1", "{", r#"{"method":1}"#, r#"{"method":"x","params":[]}"#, r#"{"method":"x" "params":{}}"#, r#"{"a":1,}"#]
        {
            assert!(read(input.as_bytes()).is_err(), "{input}");
        }
    }

    #[test]
    fn what_is_missing_is_empty() {
        assert_eq!(read(b"{}").unwrap(), Request::default());
        assert_eq!(read(br#"{"method":"ping"}"#).unwrap().method, "ping");
    }
}
