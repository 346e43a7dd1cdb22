use writ_servlet::testing::Host;
use writ_servlet::{input, json, output, servlet, tool, Json, NoArguments, ToolResult};

#[input]
enum Unit {
    Metric,
    Imperial,
}

#[input]
#[serde(rename_all = "camelCase")]
struct Place {
    /// Name of the city
    #[schemars(length(min = 1))]
    city_name: String,
    /// How many days
    #[serde(default)]
    #[schemars(range(max = 7))]
    days: u8,
    unit: Option<Unit>,
    near: Vec<Point>,
}

#[input]
struct Point {
    x: f64,
    y: f64,
}

#[output]
struct Weather {
    celsius: f32,
    wind: Option<u32>,
}

/// Tells the weather.
///
/// For today and the next days.
#[tool(title = "Weather", read_only)]
fn forecast(input: Place) -> Result<Json<Weather>, String> {
    let Place { city_name, days, unit, near } = input;
    if let Some(Unit::Imperial) = unit {
        return Err("only metric units".into());
    }
    let warmer = near.iter().map(|point| point.x + point.y).sum::<f64>();
    Ok(Json(Weather { celsius: city_name.len() as f32 + warmer as f32, wind: (days > 0).then_some(1) }))
}

const ANYTHING: &str = r#"{"type":"object","additionalProperties":true}"#;

#[tool(name = "store_all", description = "Stores.", additive, idempotent, closed_world, input_schema = ANYTHING, output_schema = ANYTHING, meta = r#"{"a/b":1}"#)]
fn store(input: writ_servlet::serde_json::Value) -> ToolResult {
    ToolResult::text(input.to_string())
}

servlet!(forecast, store);

#[test]
fn a_tool_is_described_as_mcp_has_it() {
    let tools = Host::new(&SERVLET).tools();
    assert_eq!(
        tools[0],
        json!({
            "name": "forecast",
            "title": "Weather",
            "description": "Tells the weather.\n\nFor today and the next days.",
            "annotations": { "readOnlyHint": true, "openWorldHint": true },
            "inputSchema": {
                "type": "object",
                "additionalProperties": false,
                "required": ["cityName", "near"],
                "properties": {
                    "cityName": { "type": "string", "minLength": 1, "description": "Name of the city" },
                    "days": { "type": "integer", "minimum": 0, "maximum": 7, "default": 0, "description": "How many days" },
                    "unit": { "type": ["string", "null"], "enum": ["Metric", "Imperial", null] },
                    "near": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "additionalProperties": false,
                            "required": ["x", "y"],
                            "properties": { "x": { "type": "number" }, "y": { "type": "number" } },
                        },
                    },
                },
            },
            "outputSchema": {
                "type": "object",
                "required": ["celsius", "wind"],
                "properties": { "celsius": { "type": "number" }, "wind": { "type": ["integer", "null"], "minimum": 0 } },
            },
        })
    );
    assert_eq!(
        tools[1],
        json!({
            "name": "store_all",
            "description": "Stores.",
            "annotations": { "readOnlyHint": false, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false },
            "inputSchema": { "type": "object", "additionalProperties": true },
            "outputSchema": { "type": "object", "additionalProperties": true },
            "_meta": { "a/b": 1 },
        })
    );
}

#[test]
fn arguments_reach_a_tool_in_every_form() {
    let mut host = Host::new(&SERVLET);
    let reply = host.call("forecast", json!({ "cityName": "Oslo", "unit": "Metric", "near": [{ "x": 1, "y": 0.5 }] }));
    assert_eq!(reply.structured, json!({ "celsius": 5.5, "wind": null }));
    assert_eq!(host.call("store_all", json!({ "any": [1, { "x": null }] })).text(), r#"{"any":[1,{"x":null}]}"#);
}

mod mistakes {
    use super::*;

    #[tool]
    fn silent() -> String {
        String::new()
    }

    /// Has a name that clients would change.
    #[tool(name = "Loud-One")]
    fn loud() -> String {
        String::new()
    }

    /// Is there twice.
    #[tool]
    fn twice(_: NoArguments) -> String {
        String::new()
    }

    /// Takes a text.
    #[tool]
    fn bare(input: String) -> String {
        input
    }

    /// Returns a list.
    #[tool]
    fn list() -> Json<Vec<u8>> {
        Json(vec![])
    }

    /// Has a schema that is none.
    #[tool(input_schema = "[]")]
    fn odd() -> String {
        String::new()
    }

    servlet!(silent, loud, twice, twice, bare, list, odd);

    #[test]
    #[should_panic(
        expected = r#"describing the servlet: tool "silent": it has no description, by which a model chooses tools: write a doc comment
tool "Loud-One": a name has 1 to 64 of a-z, 0-9 and "_", and starts with a letter
tool "twice": a tool of this name exists already
tool "bare": its argument is a JSON string: use a struct, or give the tool an input_schema
tool "list": its result is a JSON array: use a struct or a map in Json
tool "odd": input_schema is no JSON object"#
    )]
    fn every_mistake_is_told_at_once() {
        Host::new(&SERVLET).tools();
    }
}
