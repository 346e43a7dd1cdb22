use std::time::Duration;

use writ_servlet::http::{encode, Request, Response};
use writ_servlet::testing::Host;
use writ_servlet::web::PageRequest;
use writ_servlet::{config, first_of, input, json, kv, log, progress, servlet, sleep, tool, Kind, Level, Result};

#[input]
struct Text {
    text: String,
}

/// Reads a setting.
#[tool]
fn setting(input: Text) -> String {
    config(&input.text).unwrap_or("none".into())
}

/// Posts and reads what came back.
#[tool]
fn post(input: Text) -> Result<String> {
    let response = Request::post("api", &format!("/v1/{}", encode(&input.text)))
        .query("a b", "ü&")
        .query("c", "")
        .header("X-One", "1")
        .json(&json!({ "n": 1 }))?
        .send()?;
    let n: u32 = response.json()?;
    Ok(format!("{} {} {}", response.status, response.headers.get("content-TYPE").unwrap_or(""), n + 1))
}

/// Asks twice at once.
#[tool]
fn both() -> Result<String> {
    let first = Request::get("api", "/first").start()?;
    let second = Request::get("api", "/second").start()?;
    sleep(Duration::from_millis(1));
    assert!(first.ready_within(Duration::from_secs(1)));
    let pending = [first, second];
    assert_eq!(first_of(&pending[..0]), None);
    let mut said = first_of(&pending).unwrap().to_string();
    for one in pending {
        said += &one.wait()?.text();
    }
    Ok(said)
}

/// Asks for more at once than a call may.
#[tool]
fn many() -> Result<String> {
    let mut pending = Vec::new();
    loop {
        match Request::get("api", "/").start() {
            Ok(one) => pending.push(one),
            Err(e) => return Ok(format!("{} {:?}: {e}", pending.len(), e.kind())),
        }
    }
}

/// Gets a page.
#[tool]
fn page(input: Text) -> Result<String> {
    let page = PageRequest::get(&input.text).header("Accept", "text/html").send()?;
    Ok(format!("{} {}", page.url, page.response.text()))
}

/// Tells how a refusal looks to a program.
#[tool]
fn refused() -> String {
    match Request::get("other", "/").send() {
        Err(e) if e.kind() == Kind::Denied => e.to_string(),
        other => format!("{other:?}"),
    }
}

/// Counts how often it was called.
#[tool]
fn visits(input: Text) -> Result<String> {
    let before = kv::get("visits")?.map_or(0, |value| value[0]);
    kv::set("visits", [before + 1])?;
    match input.text.as_str() {
        "fail" => Err("not this time".into()),
        "forget" => kv::delete("visits").map(|()| "0".into()).map_err(Into::into),
        _ => Ok(kv::get("visits")?.unwrap_or_default()[0].to_string()),
    }
}

/// Lists what is kept.
#[tool]
fn kept(input: Text) -> Result<String> {
    let entries = kv::entries(&input.text)?;
    assert_eq!(kv::keys(&input.text)?, entries.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>());
    let bytes: usize = entries.iter().map(|(_, value)| value.len()).sum();
    Ok(format!("{} {bytes} {:?}", entries.len(), entries.last().map(|(key, _)| key)))
}

/// Says how far it is.
#[tool]
fn report() -> &'static str {
    log(Level::Debug, "looking");
    log(Level::Error, "found nothing");
    progress(1.0, 2.0, "half");
    "done"
}

servlet!(setting, post, both, many, page, refused, visits, kept, report);

fn text(text: &str) -> writ_servlet::serde_json::Value {
    json!({ "text": text })
}

#[test]
fn settings_are_the_operators() {
    let mut host = Host::new(&SERVLET).config("UNITS", "metric");
    assert_eq!(host.call("setting", text("UNITS")).text(), "metric");
    assert_eq!(host.call("setting", text("OTHER")).text(), "none");
}

#[test]
fn a_site_sees_the_whole_request() {
    let mut host = Host::new(&SERVLET).http("api", |request| {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/S%C3%A3o%2FPaulo"));
        assert_eq!(request.query, "a%20b=%C3%BC%26&c=");
        assert_eq!(request.headers.get("x-one"), Some("1"));
        assert_eq!(request.headers.get("content-type"), Some("application/json"));
        assert_eq!(request.body, br#"{"n":1}"#);
        Response { status: 201, headers: request.headers.clone(), body: b"41".to_vec() }
    });
    assert_eq!(host.call("post", text("São/Paulo")).text(), "201 application/json 42");
}

#[test]
fn several_requests_are_on_their_way_at_once() {
    let mut host =
        Host::new(&SERVLET).http("api", |request| Response { status: 200, body: request.path.clone().into(), ..Response::default() });
    assert_eq!(host.call("both", json!({})).text(), "0/first/second");
    assert_eq!(host.call("many", json!({})).text(), "64 Limit: GET / of api: limit of this call reached");
}

#[test]
fn pages_are_public_ones() {
    let mut host = Host::new(&SERVLET).web(|request| Response {
        status: 200,
        body: request.headers.get("accept").unwrap_or("").into(),
        ..Response::default()
    });
    assert_eq!(host.call("page", text("https://example.com/a#b")).text(), "https://example.com/a text/html");
    for url in ["ftp://example.com/", "http://localhost/", "http://me@example.com/"] {
        assert!(host.call("page", text(url)).text().contains("only http and https pages"), "{url}");
    }
    let closed = Host::new(&SERVLET).call("page", text("https://example.com/"));
    assert_eq!(closed.text(), "GET https://example.com/: the web is not granted");
}

#[test]
fn what_is_not_granted_has_its_kind() {
    assert_eq!(Host::new(&SERVLET).call("refused", json!({})).text(), "GET / of other: http:other is not granted");
}

#[test]
fn what_a_failed_call_set_is_not_kept() {
    let mut host = Host::new(&SERVLET).kv([("other", "1")]);
    assert_eq!(host.call("visits", text("")).text(), "1");
    assert_eq!(host.call("visits", text("fail")).text(), "not this time");
    assert_eq!(host.call("visits", text("")).text(), "2");
    assert_eq!(host.kept()["visits"], [2]);
    assert_eq!(host.call("visits", text("forget")).text(), "0");
    assert!(!host.kept().contains_key("visits") && host.kept().contains_key("other"));
    assert_eq!(Host::new(&SERVLET).call("visits", text("")).text(), "kv: get visits: kv is not granted");
}

#[test]
fn a_list_has_as_many_pages_as_it_needs() {
    let mut host = Host::new(&SERVLET)
        .kv((0..2500).map(|i| (format!("n/{i:04}"), vec![0; 1000])).chain([("m".into(), vec![1]), ("o".into(), vec![2])]));
    assert_eq!(host.call("kept", text("n/")).text(), r#"2500 2500000 Some("n/2499")"#);
    assert_eq!(host.call("kept", text("")).text(), r#"2502 2500002 Some("o")"#);
    assert_eq!(host.call("kept", text("p")).text(), "0 0 None");
}

#[test]
fn an_operator_and_a_client_hear_of_a_call() {
    let mut host = Host::new(&SERVLET);
    assert_eq!(host.call("report", json!({})).text(), "done");
    assert_eq!(host.logs(), [(Level::Debug, "looking".to_string()), (Level::Error, "found nothing".to_string())]);
    assert_eq!(host.reports(), [(1.0, 2.0, "half".to_string())]);
}
