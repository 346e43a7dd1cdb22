//! The Rust side of the transcripts: each tool uses one feature of the SDK.
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use writ_servlet::http::Request;
use writ_servlet::web::PageRequest;
use writ_servlet::{config, input, kv, log, output, progress, servlet, sleep, tool};
use writ_servlet::{Content, HostError, Json, Kind, Level, Result, ToolResult};

#[input]
struct Greeting {
    /// Whom to greet
    name: String,
    /// Shout
    #[serde(default)]
    loud: bool,
}

/// Greets somebody
#[tool(title = "Greet", read_only, closed_world)]
fn greet(input: Greeting) -> String {
    let text = format!("Hello, {}", input.name);
    if input.loud {
        text.to_uppercase()
    } else {
        text
    }
}

#[input]
struct Numbers {
    numbers: Vec<f64>,
}

#[output]
struct Total {
    sum: f64,
    count: u32,
}

/// Adds numbers
#[tool(read_only, closed_world)]
fn sum(input: Numbers) -> Json<Total> {
    Json(Total { sum: input.numbers.iter().sum(), count: input.numbers.len() as u32 })
}

/// For tests
#[tool]
fn picture() -> ToolResult {
    ToolResult::text("a dot").with(Content::image("image/png", [1, 2, 3]))
}

/// For tests
#[tool]
fn refuse() -> Result<String> {
    Err("no file notes.txt: list the folder first".into())
}

/// For tests
#[tool]
fn stop() -> String {
    panic!("a mistake in the program")
}

/// For tests
#[tool]
fn count() -> String {
    progress(1.0, 4.0, "one of four");
    "counted".into()
}

/// For tests
#[tool]
fn endless() -> String {
    progress(0.0, 0.0, "begun");
    sleep(Duration::from_secs(3600));
    "never".into()
}

/// For tests
#[tool]
fn note() -> String {
    log(Level::Debug, "looked");
    log(Level::Info, "found");
    log(Level::Warn, "two of them");
    log(Level::Error, "took none");
    "noted".into()
}

#[input]
struct Key {
    key: String,
}

/// For tests
#[tool]
fn setting(input: Key) -> String {
    config(&input.key).unwrap_or_else(|| "unset".into())
}

#[input]
struct Item {
    item: String,
}

/// For tests
#[tool]
fn post(input: Item) -> Result<String> {
    let body = writ_servlet::json!({ "item": input.item });
    let response = Request::post("api", "/v1/items").query("dry", "1").header("x-trace", "7").json(&body)?.send()?;
    let made: writ_servlet::serde_json::Value = response.json()?;
    Ok(format!("{} {}", response.status, made["id"]))
}

#[input]
struct Path {
    path: String,
}

/// For tests
#[tool]
fn status(input: Path) -> Result<String> {
    let response = Request::get("api", &input.path).send()?;
    Ok(format!("{} {} {}", response.status, response.headers.get("Content-Type").unwrap_or(""), response.text()))
}

/// For tests
#[tool]
fn both() -> Result<String> {
    let first = Request::get("api", "/v1/a").start()?;
    let second = Request::get("api", "/v1/b").start()?;
    Ok(format!("{} and {}", first.wait()?.text(), second.wait()?.text()))
}

/// For tests
#[tool]
fn closed() -> Result<String> {
    match Request::get("api", "/v1/secret").send().as_ref().map_err(HostError::kind) {
        Err(Kind::Denied) => Ok("denied".into()),
        Err(Kind::Unavailable) => Ok("unavailable".into()),
        _ => Ok("open".into()),
    }
}

#[input]
struct Address {
    url: String,
}

/// For tests
#[tool]
fn page(input: Address) -> Result<String> {
    let page = PageRequest::get(&input.url).send()?;
    Ok(format!("{} {} {}", page.url, page.response.status, page.response.text()))
}

/// For tests
#[tool]
fn tidy() -> Result<String> {
    let text = fs::read_to_string("/docs/draft.txt")?;
    fs::create_dir("/docs/done")?;
    fs::write("/docs/done/new.txt", text.to_uppercase())?;
    fs::rename("/docs/done/new.txt", "/docs/done/draft.txt")?;
    fs::remove_file("/docs/draft.txt")?;
    let mut names = Vec::new();
    for entry in fs::read_dir("/docs")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names.join(" "))
}

#[input]
struct Entry {
    key: String,
    value: String,
}

/// For tests
#[tool]
fn keep(input: Entry) -> Result<String> {
    let mut said = match kv::get(&input.key)? {
        Some(old) => String::from_utf8_lossy(&old).into_owned(),
        None => "nothing".into(),
    };
    kv::set(&input.key, &input.value)?;
    kv::delete("note/old")?;
    for key in kv::keys("note/")? {
        said = said + " " + &key;
    }
    Ok(said)
}

/// For tests
#[tool]
fn dice() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// For tests
#[tool]
fn nap() -> String {
    let began = Instant::now();
    sleep(Duration::from_millis(20));
    (began.elapsed() >= Duration::from_millis(19)).to_string()
}

servlet!(greet, sum, picture, refuse, stop, count, endless, note, setting, post, status, both, closed, page, tidy, keep, dice, nap);
