//! A plug-in with tools, as its author would write it for any host of Extism plug-ins with the Rust PDK:
//! nothing in it knows of Writ. It is the small sister of ../plugin.

use extism_pdk::*;

#[plugin_fn]
pub fn describe() -> FnResult<String> {
    Ok(r#"{"tools":[{"name":"echo","description":"Says a text again.","inputSchema":{"type":"object"}}]}"#.into())
}

/// The input is a verb and arguments with a line end between them.
#[plugin_fn]
pub fn call(input: String) -> FnResult<String> {
    let mut parts = input.splitn(3, '\n');
    let verb = parts.next().unwrap_or_default();
    let first = parts.next().unwrap_or_default();
    let second = parts.next().unwrap_or_default();
    match verb {
        "echo" => Ok(first.to_string()),
        "setting" => Ok(format!("{:?}", config::get(first)?)),
        "variable" => {
            let before: Option<String> = var::get(first)?;
            var::set(first, second)?;
            let between: Option<String> = var::get(first)?;
            var::remove(first)?;
            let after: Option<String> = var::get(first)?;
            Ok(format!("{before:?} {between:?} {after:?}"))
        }
        "log" => {
            debug!("{first}");
            info!("{first}");
            warn!("{first}");
            error!("{first}");
            Ok("logged".into())
        }
        "fetch" => {
            let request = HttpRequest::new(first).with_method("POST").with_header("X-Asked", "yes");
            let response = http::request(&request, Some(second))?;
            let kind = response.headers().get("content-type").cloned().unwrap_or_default();
            Ok(format!("{} {} {:?}", response.status_code(), kind, String::from_utf8(response.body())?))
        }
        "fail" => Err(WithReturnCode::new(Error::msg(first.to_string()), 3)),
        _ => panic!("no verb {verb}"),
    }
}
