use schemars::generate::SchemaSettings;
use schemars::transform::{transform_subschemas, Transform};
use schemars::Schema;
use serde::de::value::Error as Undecided;
use serde::de::{Error, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::tool::{About, Entry, Servlet, Tool};

/// The schemas that the types of a tool make.
pub(crate) struct Schemas {
    input: Schema,
    order: &'static [&'static str], // of the members of the input
    output: Option<Schema>,
}

pub(crate) fn schemas_of<T: Tool>() -> Schemas {
    let settings = || {
        SchemaSettings::draft2020_12().with(|s| {
            s.meta_schema = None;
            s.inline_subschemas = true;
            s.transforms.clear();
        })
    };
    Schemas {
        order: order_of::<T::Input>(),
        input: settings().for_deserialize().into_generator().into_root_schema_for::<T::Input>(),
        output: T::Output::output_schema(&mut settings().for_serialize().into_generator()),
    }
}

#[derive(Serialize)]
struct List {
    tools: Vec<Description>,
}

// Description is a tool as MCP lists it.
#[derive(Serialize)]
struct Description {
    name: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    title: &'static str,
    description: &'static str,
    #[serde(rename = "inputSchema")]
    input_schema: Ordered,
    #[serde(rename = "outputSchema", skip_serializing_if = "Option::is_none")]
    output_schema: Option<Value>,
    annotations: Annotations,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Annotations {
    read_only_hint: bool,
    // MCP gives these two a meaning only for a tool that is not read-only.
    #[serde(skip_serializing_if = "Option::is_none")]
    destructive_hint: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotent_hint: Option<bool>,
    open_world_hint: bool,
}

impl Servlet {
    /// Lists the tools. Its error has every mistake, a line each.
    pub(crate) fn describe(&self) -> Result<Vec<u8>, String> {
        let mut tools = Vec::new();
        let mut mistakes = Vec::new();
        for (i, entry) in self.tools.iter().enumerate() {
            let name = entry.about.name;
            let described = if self.tools[..i].iter().any(|other| other.about.name == name) {
                Err("a tool of this name exists already".to_string())
            } else {
                entry.describe()
            };
            match described {
                Ok(tool) => tools.push(tool),
                Err(why) => mistakes.push(format!("tool {name:?}: {why}")),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes.join("\n"));
        }
        serde_json::to_vec(&List { tools }).map_err(|e| e.to_string())
    }
}

impl Entry {
    fn describe(&self) -> Result<Description, String> {
        let About { name, title, description, read_only, .. } = self.about;
        check_name(name)?;
        if description.is_empty() {
            return Err("it has no description, by which a model chooses tools: write a doc comment".into());
        }
        let made = (self.schemas)();
        let input_schema = match given("input_schema", self.about.input_schema)? {
            Some(schema) => schema,
            None => {
                finish(made.input).map_err(|found| format!("its argument is {found}: use a struct, or give the tool an input_schema"))?
            }
        };
        let output_schema = match (given("output_schema", self.about.output_schema)?, made.output) {
            (None, Some(schema)) => Some(finish(schema).map_err(|found| format!("its result is {found}: use a struct or a map in Json"))?),
            (schema, _) => schema,
        };
        Ok(Description {
            name,
            title,
            description,
            input_schema: Ordered { schema: input_schema, order: made.order },
            output_schema,
            annotations: Annotations {
                read_only_hint: read_only,
                destructive_hint: (!read_only).then_some(!self.about.additive),
                idempotent_hint: (!read_only).then_some(self.about.idempotent),
                open_world_hint: !self.about.closed_world,
            },
            meta: given("meta", self.about.meta)?,
        })
    }
}

// check_name allows what Writ allows: a name that no client has to change, and that reads one way only.
fn check_name(name: &str) -> Result<(), String> {
    let letters = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
    if name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(letters) {
        return Ok(());
    }
    Err("a name has 1 to 64 of a-z, 0-9 and \"_\", and starts with a letter".into())
}

// given reads a JSON object that an author wrote by hand; empty is none.
fn given(what: &str, text: &str) -> Result<Option<Value>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(Some(Value::Object(members))),
        Ok(_) => Err(format!("{what} is no JSON object")),
        Err(e) => Err(format!("{what}: {e}")),
    }
}

// finish takes out of a schema what tells a model nothing. The error says what it is if not an object's.
fn finish(mut schema: Schema) -> Result<Value, String> {
    schema.remove("title"); // the name of the Rust type
    if schema.get("type").is_none_or(|kind| kind != "object") {
        return Err(match schema.get("type") {
            Some(Value::String(kind)) => format!("a JSON {kind}"),
            _ => "no JSON object".into(),
        });
    }
    Plain.transform(&mut schema);
    Ok(Value::Object(schema.as_object().cloned().unwrap_or_else(Map::new)))
}

// Ordered is a schema whose properties stand as their type declares them: models read the first ones first.
struct Ordered {
    schema: Value,
    order: &'static [&'static str],
}

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Value::Object(members) = &self.schema else {
            return self.schema.serialize(s);
        };
        let mut map = s.serialize_map(Some(members.len()))?;
        for (name, value) in members {
            match value {
                Value::Object(properties) if name == "properties" => map.serialize_entry(name, &Properties(properties, self.order))?,
                _ => map.serialize_entry(name, value)?,
            }
        }
        map.end()
    }
}

struct Properties<'a>(&'a Map<String, Value>, &'static [&'static str]);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Properties(all, order) = self;
        let first = order.iter().filter_map(|name| all.get_key_value(*name));
        let others = all.iter().filter(|(name, _)| !order.contains(&name.as_str()));
        s.collect_map(first.chain(others))
    }
}

// order_of asks a type for the names of its members, in their order. It is empty for what is no plain struct.
fn order_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut order: &[&str] = &[];
    let _ = T::deserialize(Members(&mut order));
    order
}

// Members is the input of a type that only says what it wants to read.
struct Members<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Members<'_> {
    type Error = Undecided;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Undecided> {
        Err(Undecided::custom("nothing is read"))
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, fields: &'static [&'static str], v: V) -> Result<V::Value, Undecided> {
        *self.0 = fields;
        self.deserialize_any(v)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, v: V) -> Result<V::Value, Undecided> {
        v.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map enum identifier ignored_any
    }
}

// Plain drops formats that only a Rust program knows, such as uint64.
struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        let numeric = match schema.get("type") {
            Some(Value::String(kind)) => is_number(kind),
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind.as_str().is_some_and(is_number)),
            _ => false,
        };
        if numeric {
            schema.remove("format");
        }
        transform_subschemas(self, schema);
    }
}

fn is_number(kind: &str) -> bool {
    kind == "integer" || kind == "number"
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;
    use crate::{About, ToolResult};

    #[derive(serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "camelCase")]
    #[allow(dead_code)]
    struct Input {
        to_day: u8,
        #[serde(alias = "x")]
        city: String,
        a: Option<u8>,
    }

    struct Order;

    impl Tool for Order {
        const ABOUT: About = About::new("order", "For tests.");
        type Input = Input;
        type Output = ToolResult;

        fn call(_: Input) -> ToolResult {
            ToolResult::default()
        }
    }

    #[test]
    fn members_stand_as_they_were_declared() {
        static SERVLET: Servlet = Servlet::new(&[Entry::of::<Order>()]);
        let text = String::from_utf8(SERVLET.describe().unwrap()).unwrap();
        let at = |name: &str| text.find(name).unwrap_or_else(|| panic!("{name} is not in {text}"));
        assert!(at("\"toDay\":{") < at("\"city\":{") && at("\"city\":{") < at("\"a\":{"), "{text}");
        assert_eq!(order_of::<String>(), [""; 0]);
        assert_eq!(order_of::<Vec<Input>>(), [""; 0]);
    }
}
