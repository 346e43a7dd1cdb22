//! Compiles a jq filter and runs it over JSON text.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use jaq_core::load::parse::Def;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, DataT, Lut, Vars, data, native};
use jaq_json::{Val, read};
use jaq_std::input::{self, HasInputs, Inputs, RcIter};

use crate::fault;
use crate::output::{Form, Output};

/// Bytes of a filter. A longer one is a program, and its parser would nest as deep as it likes.
pub const MAX_FILTER: usize = 4 << 10;

/// Nesting of the input, and of a value that is printed. The stack has room for it.
pub const MAX_NESTING: usize = 1_000;

/// How often brackets may be inside each other in a filter.
const MAX_BRACKETS: usize = 100;

/// What one call asks for.
#[derive(Default)]
pub struct Request<'a> {
    pub filter: &'a str,
    /// JSON values one after the other, or text where `raw_input` is set.
    pub input: &'a str,
    /// Values that the filter sees as `$name`, each as JSON text.
    pub args: BTreeMap<String, String>,
    pub null_input: bool,
    pub raw_input: bool,
    pub slurp: bool,
    pub form: Form,
}

/// What a filter gave before it failed, and why it did.
pub struct Failed {
    pub output: String,
    pub why: String,
}

/// Runs the filter over all of the input and returns what it printed.
pub fn run(request: &Request) -> Result<String, Failed> {
    let refused = |why| Failed { output: String::new(), why };
    let names = names(&request.args).map_err(refused)?;
    let vars = values(&request.args).map_err(refused)?;
    let filter = compile(request.filter, &names).map_err(refused)?;
    if !request.raw_input {
        fault::input_nesting(request.input, MAX_NESTING).map_err(refused)?;
    }

    let null = RcIter::new(Box::new(std::iter::once(Ok(Val::Null))) as Values);
    let inputs = RcIter::new(inputs(request));
    let data = Data { lut: &filter.lut, inputs: &inputs };
    let ctx = jaq_core::Ctx::<Kind>::new(&data, Vars::new(vars));
    let mut output = Output::new(request.form);
    let ended = (|| {
        for value in if request.null_input { &null } else { &inputs } {
            for result in filter.id.run((ctx.clone(), value?)) {
                output.add(&result.map_err(|exn| raised(exn, &request.form))?)?;
            }
        }
        Ok(())
    })();
    match ended {
        Ok(()) => Ok(output.text()),
        Err(Ended::Enough) => Ok(output.text()),
        Err(Ended::Failed(why)) => Err(Failed { output: output.text(), why }),
    }
}

/// Why a filter runs no further.
pub enum Ended {
    /// It printed as much as is kept, or it halted.
    Enough,
    Failed(String),
}

impl From<String> for Ended {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

fn raised(exn: jaq_core::Exn<Val>, form: &Form) -> Ended {
    match exn.get_err() {
        Ok(error) => Ended::Failed(fault::cut(&match error.into_val() {
            Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
            value => match Output::one(&value, *form) {
                Ok(text) => format!("{text} (the filter raised a value that is not text)"),
                Err(_) => "the filter raised a value that cannot be printed".into(),
            },
        })),
        Err(exn) => match exn.get_halt() {
            Ok(0) | Err(_) => Ended::Enough,
            Ok(code) => Ended::Failed(format!("the filter halted with status {code}")),
        },
    }
}

type Values<'a> = Box<dyn Iterator<Item = Result<Val, String>> + 'a>;

fn inputs<'a>(request: &Request<'a>) -> Values<'a> {
    let text = request.input;
    let whole = |s: &str| Val::from(s.to_owned());
    match (request.raw_input, request.slurp) {
        (true, true) => Box::new(std::iter::once(Ok(whole(text)))),
        (true, false) => Box::new(text.lines().map(move |line| Ok(whole(line)))),
        (false, slurp) => {
            let all = read::parse_many(text.as_bytes()).map(move |v| v.map_err(|e| fault::unreadable(text, &e)));
            // What follows a fault is not read: the reader would meet the same fault for ever.
            let mut failed = false;
            let all = all.take_while(move |v| !std::mem::replace(&mut failed, v.is_err()));
            if !slurp {
                return Box::new(all);
            }
            Box::new(std::iter::once_with(move || all.collect::<Result<Val, _>>()))
        }
    }
}

fn names(args: &BTreeMap<String, String>) -> Result<Vec<String>, String> {
    let mut names = vec!["$ENV".to_owned(), "$ARGS".to_owned()];
    for name in args.keys() {
        let word = |c: char| c == '_' || c.is_ascii_alphanumeric();
        if name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(word) || name.is_empty() {
            return Err(format!("args: {name:?} is no name of a variable: use letters, digits and _"));
        }
        if name == "ENV" || name == "ARGS" {
            return Err(format!("args: {name} has a meaning of its own in jq: use another name"));
        }
        names.push(format!("${name}"));
    }
    Ok(names)
}

fn values(args: &BTreeMap<String, String>) -> Result<Vec<Val>, String> {
    let mut named = jaq_json::Map::default();
    for (name, json) in args {
        let value = read::parse_single(json.as_bytes()).map_err(|e| format!("args: {name}: {e}"))?;
        named.insert(Val::from(name.clone()), value);
    }
    let all = named.values().cloned().collect::<Vec<_>>();
    let part = |name: &str, v| (Val::from(name.to_owned()), v);
    let positional = std::iter::empty::<Val>().collect::<Val>();
    let given = [part("positional", positional), part("named", Val::obj(named))];
    Ok([Val::obj(jaq_json::Map::default()), Val::obj(given.into_iter().collect())].into_iter().chain(all).collect())
}

fn compile(code: &str, names: &[String]) -> Result<jaq_core::Filter<Kind>, String> {
    if code.len() > MAX_FILTER {
        return Err(format!("the filter has {} bytes; at most {MAX_FILTER} are allowed", code.len()));
    }
    fault::filter_nesting(code, MAX_BRACKETS)?;
    let arena = Arena::default();
    let library = LIBRARY.with(|parsed| parsed.get_or_init(library).clone());
    let modules = Loader::new(library).load(&arena, File { code, path: () }).map_err(|e| fault::of_loading(code, e))?;
    jaq_core::load::import(&modules, |_| Err("there are no files".into())).map_err(|e| fault::of_loading(code, e))?;
    let inputs = input::funs::<Kind>().into_vec().into_iter().map(native::run::<Kind>);
    let funs = jaq_core::funs::<Kind>().chain(jaq_std::funs::<Kind>()).chain(jaq_json::funs()).chain(inputs);
    Compiler::default()
        .with_funs(funs)
        .with_global_vars(names.iter().map(String::as_str))
        .compile(modules)
        .map_err(|e| fault::of_compiling(code, e))
}

thread_local! {
    /// The part of jq that is written in jq. Parsing it would be half of a call.
    static LIBRARY: OnceCell<Vec<Def<&'static str>>> = const { OnceCell::new() };
}

fn library() -> Vec<Def<&'static str>> {
    jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).collect()
}

/// Compiles a filter and runs it once, so that a call finds everything set up.
pub fn warm() {
    let request = Request { filter: r#".a | map(tostring | test("x")) | sort"#, input: r#"{"a":[1,2.5,"b"]}"#, ..Request::default() };
    let _ = run(&request);
}

/// What native functions of a filter may use: the values of the input.
struct Kind;

impl DataT for Kind {
    type V<'a> = Val;
    type Data<'a> = &'a Data<'a>;
}

struct Data<'a> {
    lut: &'a Lut<Kind>,
    inputs: Inputs<'a, Val>,
}

impl<'a> data::HasLut<'a, Kind> for &'a Data<'a> {
    fn lut(&self) -> &'a Lut<Kind> {
        self.lut
    }
}

impl<'a> HasInputs<'a, Val> for &'a Data<'a> {
    fn inputs(&self) -> Inputs<'a, Val> {
        self.inputs
    }
}


#[cfg(test)]
mod tests {
    use super::*;

    fn over(filter: &str, input: &str) -> Result<String, Failed> {
        let form = Form { compact: true, ..Form::default() };
        run(&Request { filter, input, form, ..Request::default() })
    }

    fn why(filter: &str, input: &str) -> String {
        over(filter, input).map_err(|f| f.why).expect_err(filter)
    }

    #[test]
    fn filters_answer_as_jq_does() {
        for (filter, input, want) in [
            (".a | map(. + 1)", r#"{"a":[1,2]}"#, "[2,3]"),
            (".[] | select(.n > 1) | .id", r#"[{"id":"a","n":1},{"id":"b","n":2}]"#, r#""b""#),
            (". as [$a, $b] | {a: $a, b: $b}", "[1,2]", r#"{"a":1,"b":2}"#),
            ("group_by(.k) | map({(.[0].k): (map(.v) | add)}) | add", r#"[{"k":"x","v":1},{"k":"y","v":2},{"k":"x","v":3}]"#, r#"{"x":4,"y":2}"#),
            (r#"test("^a.c$"; "i"), ascii_downcase, @base64"#, r#""ABC""#, "true\n\"abc\"\n\"QUJD\""),
            ("[limit(4; recurse(. * 2))]", "1", "[1,2,4,8]"),
            ("9007199254740993 + 1, 10000000000000000000000", "null", "9007199254740994\n10000000000000000000000"),
            ("[limit(2; inputs)]", "1 2 3 4", "[2,3]\n[]"),
            ("$ENV, $ARGS", "null", "{}\n{\"positional\":[],\"named\":{}}"),
            (".[] as $x | $x", "# a comment\n[1]", "1"),
            ("empty", "1", ""),
            ("1, halt, 2", "null", "1"),
            (r#""1970-01-02T00:00:00Z" | fromdate"#, "null", "86400"),
        ] {
            assert_eq!(over(filter, input).map_err(|f| f.why).as_deref(), Ok(want), "{filter}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_filter_is_said_with_its_place() {
        for (filter, want) in [
            (".a | (", "line 1, column 7: expected closing parenthesis, but the filter ends here\n  .a | (\n        ^"),
            (".a\n| frob(1; 2)", "line 2, column 3: there is no filter called frob with 2 arguments\n  | frob(1; 2)\n    ^"),
            (".a\n| frob", "line 2, column 3: there is no filter called frob without arguments\n  | frob\n    ^"),
            ("1 + $x", "line 1, column 5: there is no variable called $x\n  1 + $x\n      ^"),
            ("§", "line 1, column 1: expected token, found '§'\n  §\n  ^"),
            ("\"\\(1;2)\"", "line 1, column 5: expected ), found ';'\n  \"\\(1;2)\"\n      ^"),
            (r#"include "a"; ."#, "line 1, column 10: cannot load \"a\": module loading not supported\n  include \"a\"; .\n           ^"),
            (r#"import "a" as $a; ."#, "line 1, column 9: cannot load \"a\": there are no files\n  import \"a\" as $a; .\n          ^"),
        ] {
            assert_eq!(why(filter, "null"), format!("the filter cannot be used:\n{want}"));
        }
    }

    #[test]
    fn an_error_of_a_filter_keeps_what_was_printed_before() {
        let failed = over(".[] | 10 - .", r#"[5, "x", 2]"#).err().unwrap();
        assert_eq!((failed.output.as_str(), failed.why.as_str()), ("5", r#"cannot calculate 10 - "x""#));
        assert_eq!(why(r#"error("no \(.)")"#, "1"), "no 1");
        assert_eq!(why("error({a: 1})", "1"), r#"{"a":1} (the filter raised a value that is not text)"#);
        assert_eq!(why(r#""fatal" | halt_error"#, "1"), "the filter halted with status 5");
        let long = why("error", &format!("{:?}", "é".repeat(9_000)));
        assert_eq!(long, format!("{}... (cut)", "é".repeat(1_000)));
    }

    #[test]
    fn input_that_is_not_json_is_refused_with_its_place() {
        let failed = over(".", "{\"a\":1}\n{\"b\": é}").err().unwrap();
        assert_eq!((failed.output.as_str(), failed.why.as_str()), ("{\"a\":1}", "the input is not JSON at line 2, column 7: value expected"));
        let slurp = Request { filter: "length", input: "1 2 x 3", slurp: true, ..Request::default() };
        assert_eq!(run(&slurp).err().unwrap().why, "the input is not JSON at line 1, column 5: value expected");
    }

    #[test]
    fn inputs_are_taken_in_every_way() {
        let two = Request { filter: ".", input: "1\n\"a\"", ..Request::default() };
        assert_eq!(run(&Request { form: Form { raw: true, ..Form::default() }, ..two }).ok().unwrap(), "1\na");
        let two = || Request { filter: "[., input]", input: "1\n2", form: Form { compact: true, ..Form::default() }, ..Request::default() };
        assert_eq!(run(&Request { null_input: true, ..two() }).ok().unwrap(), "[null,1]");
        assert_eq!(run(&Request { raw_input: true, ..two() }).ok().unwrap(), r#"["1","2"]"#);
        assert_eq!(run(&Request { slurp: true, filter: ".", ..two() }).ok().unwrap(), "[1,2]");
        assert_eq!(run(&Request { slurp: true, raw_input: true, filter: ".", ..two() }).ok().unwrap(), r#""1\n2""#);
        let sorted = Form { sort_keys: true, compact: true, ..Form::default() };
        let keys = Request { filter: ".", input: r#"{"b":1,"a":2}"#, form: sorted, ..Request::default() };
        assert_eq!(run(&keys).ok().unwrap(), r#"{"a":2,"b":1}"#);
    }

    #[test]
    fn arguments_are_variables() {
        let args = |name: &str, json: &str| [(name.to_owned(), json.to_owned())].into();
        let given = Request { filter: "[$x.a, $ARGS.named.x.a]", args: args("x", r#"{"a":"b"}"#), form: Form { compact: true, ..Form::default() }, null_input: true, ..Request::default() };
        assert_eq!(run(&given).ok().unwrap(), r#"["b","b"]"#);
        for (name, want) in [("a-b", "is no name"), ("", "is no name"), ("1a", "is no name"), ("ENV", "has a meaning of its own")] {
            let bad = Request { filter: ".", args: args(name, "1"), ..Request::default() };
            assert!(run(&bad).err().unwrap().why.contains(want), "{name}");
        }
    }

    #[test]
    fn an_endless_output_is_cut_with_a_word_about_it() {
        let text = over("repeat(\"abcdefg\")", "null").ok().unwrap();
        let (kept, note) = text.rsplit_once("\n[").unwrap();
        assert_eq!(kept.len(), crate::output::MAX_OUTPUT);
        assert!(note.starts_with("cut in value 26215: at most 256 KiB of output are returned."), "{note}");
        // A value that ends exactly there is whole.
        let whole = over(&format!("\"x\" * {}", crate::output::MAX_OUTPUT - 3), "null").ok().unwrap();
        assert_eq!(whole.len(), crate::output::MAX_OUTPUT - 1);
        assert!(!whole.contains("[cut"));
    }

    #[test]
    fn nothing_is_nested_deeper_than_the_stack_has_room_for() {
        // A test's thread has less stack than the module, and this build takes more of it.
        std::thread::Builder::new().stack_size(64 << 20).spawn(nesting).unwrap().join().unwrap();
    }

    fn nesting() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(over(".", &deep(MAX_NESTING)).is_ok());
        assert_eq!(why(".", &deep(MAX_NESTING + 1)), "the input is nested deeper than 1000 at line 1, column 1001");
        assert!(over(".", &format!("\"{}\"", "[".repeat(9_000))).is_ok(), "brackets of a text do not count");
        assert_eq!(why(&deep(101), "null"), "the filter is nested deeper than 100 at line 1, column 101");
        assert_eq!(why("reduce range(1002) as $i (null; [.])", "null"), "value 1 of the output is nested deeper than 1000");
        assert_eq!(why(&"#".repeat(MAX_FILTER + 1), "null"), "the filter has 4097 bytes; at most 4096 are allowed");
    }

    #[test]
    fn brackets_cannot_be_hidden_in_comments_and_texts() {
        std::thread::Builder::new().stack_size(64 << 20).spawn(hiding).unwrap().join().unwrap();
    }

    fn hiding() {
        let deep = |part: &str| part.repeat(101);
        for filter in [
            deep("[#]\n"), deep("[#\"\n"), deep("[#]\\\n]\n"), deep("[#]\\\r\n]\n"), deep("[\"]\","), deep("\"\\("), deep("\"\\(\")\"|"), deep("(\"\\([)\"+"), deep("[§]"), deep("(]"),
            "[}".to_owned() + &deep("["),
        ] {
            assert!(why(&filter, "null").starts_with("the filter is nested deeper than 100 at line "), "{filter}");
        }
        for input in ["[#]\n", "[#\"\n", "[\"]\",", "[\"\\\"]\","] {
            assert!(why(".", &input.repeat(1_001)).starts_with("the input is nested deeper than 1000 at line "), "{input}");
        }
        // What only looks deep is a filter.
        for (filter, want) in [
            (format!("1 # {}\n+ 1", deep("[")), "2"),
            (format!("1 # {}\\\n{}\n+ 1", deep("["), deep("[")), "2"),
            ("1 # \\\\\n+ 1".to_owned(), "2"),
            (format!("\"{}\" | length", deep("[")), "101"),
            (format!("[{}] | length", deep("\"\\(\")\")\",").trim_end_matches(',')), "101"),
            (format!("[{}] | length", deep("[],").trim_end_matches(',')), "101"),
        ] {
            assert_eq!(over(&filter, "null").map_err(|f| f.why).as_deref(), Ok(want), "{filter}");
        }
        assert_eq!(over(".[0]", &format!("[1] # {}", "[".repeat(1_001))).map_err(|f| f.why).as_deref(), Ok("1"));
    }
}
