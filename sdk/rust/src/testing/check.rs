use serde_json::{Map, Value};

// The place of the whole arguments. There a name that the schema does not mention is refused unless the
// schema allows it; deeper down JSON Schema's own rule holds.
const ROOT: &str = "arguments";

/// Refuses arguments that Writ would refuse, so that a test does not pass on a call that can never happen.
/// It knows the keywords that are made of Rust types; patterns, references and alternatives are left to Writ.
pub(super) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    at(schema, value, ROOT)
}

fn at(schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if !fits(&schema["type"], value) {
        return Err(format!("{place}: expected {}", schema["type"]));
    }
    if let Value::Array(listed) = &schema["enum"] {
        if !listed.contains(value) {
            return Err(format!("{place}: expected one of {}", schema["enum"]));
        }
    }
    match value {
        Value::Number(n) if outside(n.as_f64(), &schema["minimum"], &schema["maximum"]) => Err(format!("{place}: {n} is out of range")),
        Value::String(text) if outside(Some(text.chars().count() as f64), &schema["minLength"], &schema["maxLength"]) => {
            Err(format!("{place}: the text is too short or too long"))
        }
        Value::Array(items) => {
            if outside(Some(items.len() as f64), &schema["minItems"], &schema["maxItems"]) {
                return Err(format!("{place}: a list of {} items is too short or too long", items.len()));
            }
            items.iter().enumerate().try_for_each(|(i, item)| at(&schema["items"], item, &format!("{place}[{i}]")))
        }
        Value::Object(members) => object(schema, members, place),
        _ => Ok(()),
    }
}

fn object(schema: &Value, members: &Map<String, Value>, place: &str) -> Result<(), String> {
    if let Value::Array(required) = &schema["required"] {
        for name in required.iter().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                return Err(format!("{place}.{name}: missing"));
            }
        }
    }
    for (name, value) in members {
        let inner = match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(true)) => continue,
            (Value::Null, Value::Null) if place != ROOT || schema.get("properties").is_none() && schema.get("type").is_none() => continue,
            (Value::Null, Value::Null | Value::Bool(false)) => return Err(format!("{place}.{name}: there is no such argument")),
            (Value::Null, every) => every,
            (one, _) => one,
        };
        at(inner, value, &format!("{place}.{name}"))?;
    }
    Ok(())
}

fn outside(n: Option<f64>, low: &Value, high: &Value) -> bool {
    let Some(n) = n else { return false };
    low.as_f64().is_some_and(|low| n < low) || high.as_f64().is_some_and(|high| n > high)
}

fn fits(kind: &Value, value: &Value) -> bool {
    match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| fits(kind, value)),
        Value::String(kind) => match value {
            Value::Null => kind == "null",
            Value::Bool(_) => kind == "boolean",
            Value::String(_) => kind == "string",
            Value::Array(_) => kind == "array",
            Value::Object(_) => kind == "object",
            Value::Number(n) => kind == "number" || kind == "integer" && n.as_f64().is_some_and(|n| n.fract() == 0.0),
        },
        _ => true,
    }
}
