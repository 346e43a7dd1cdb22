//! The interpreter: made once, before a call starts, and used by one call.

use std::cell::{OnceCell, RefCell};

use rustpython_vm::builtins::PyBaseExceptionRef;
use rustpython_vm::compiler::Mode;
use rustpython_vm::compiler::core::frozen::FrozenLib;
use rustpython_vm::{AsObject, Interpreter, PyObjectRef, PyResult, Settings, VirtualMachine, pymodule};

/// Bytes of output that are kept. Code that prints more is ended.
pub const MAX_OUTPUT: usize = 128 << 10;

/// Bytes of the value and of an error that are kept.
const MAX_TEXT: usize = 32 << 10;

/// How deep Python functions may call each other. The stack has room for it.
const MAX_DEPTH: usize = 500;

/// What is shown as the name of the code's file. _start.py has it too.
const NAME: &str = "<code>";

static LIBRARY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/library.bin"));

/// What came of a piece of code.
pub struct Ran {
    /// What it printed.
    pub output: String,
    pub end: End,
}

/// How it ended.
pub enum End {
    /// The value of the last expression, as repr has it; none when that is None or no expression.
    Value(Option<String>),
    /// The error that ended it, with its traceback.
    Error(String),
}

struct Machine {
    interpreter: Interpreter,
    start: PyObjectRef, // the module _start
}

thread_local! {
    static MACHINE: OnceCell<Machine> = const { OnceCell::new() };
    static OUTPUT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Makes the interpreter and imports what most code asks for, so that a call finds it done.
pub fn warm() {
    run("print([x * x for x in range(3)])");
}

/// Runs code in a module of its own.
pub fn run(code: &str) -> Ran {
    MACHINE.with(|cell| {
        let machine = cell.get_or_init(make);
        let end = machine.interpreter.enter(|vm| machine.run(vm, code));
        Ran { output: OUTPUT.take(), end }
    })
}

fn make() -> Machine {
    let mut settings = Settings::default();
    settings.isolated = true;
    settings.ignore_environment = true;
    settings.import_site = false;
    settings.user_site_directory = false;
    settings.install_signal_handlers = false;
    settings.write_bytecode = false;
    settings.argv = vec![String::new()];
    // The order of a set is the same in every call: the answers of a tool are to be compared. Nobody else's
    // data is in the same interpreter, so that there is nobody to hide the hashes from.
    settings.hash_seed = Some(0);
    let builder = Interpreter::builder(settings);
    let mut native = rustpython_stdlib::stdlib_module_defs(&builder.ctx);
    native.push(_writ::module_def(&builder.ctx));
    let interpreter = builder.add_native_modules(&native).add_frozen_modules(FrozenLib::from_ref(LIBRARY)).build();
    let start = interpreter.enter(|vm| {
        let made = (|| {
            let start = vm.import("_start", 0)?;
            vm.call_method(&start, "prepare", ())?;
            Ok(start)
        })();
        vm.recursion_limit.set(MAX_DEPTH);
        made.unwrap_or_else(|error: PyBaseExceptionRef| panic!("preparing the interpreter: {}", plain(vm, &error)))
    });
    Machine { interpreter, start }
}

impl Machine {
    fn run(&self, vm: &VirtualMachine, code: &str) -> End {
        let ended = (|| {
            vm.call_method(&self.start, "begin", ())?;
            let scope = vm.new_scope_with_main()?;
            let compiled = vm.compile(code, Mode::BlockExpr, NAME).map_err(|e| e.into_pyexception(vm, Some(code)))?;
            let value = vm.run_code_obj(compiled, scope)?;
            if vm.is_none(&value) {
                return Ok(None);
            }
            Ok(Some(cut(&value.repr(vm)?.to_string_lossy())))
        })();
        match ended {
            Ok(value) => End::Value(value),
            Err(error) => self.explain(vm, error, code),
        }
    }

    fn explain(&self, vm: &VirtualMachine, error: PyBaseExceptionRef, code: &str) -> End {
        let told: PyResult = vm.call_method(&self.start, "explain", (error.clone(), code.to_owned()));
        match told {
            Ok(text) if vm.is_none(&text) => End::Value(None),
            Ok(text) => End::Error(text.str(vm).map_or_else(|_| plain(vm, &error), |s| cut(&s.to_string_lossy()))),
            // Code may have replaced what the library needs to explain an error.
            Err(_) => End::Error(plain(vm, &error)),
        }
    }
}

/// Tells an error without the library.
fn plain(vm: &VirtualMachine, error: &PyBaseExceptionRef) -> String {
    let kind = error.class().name().to_string();
    match error.as_object().str(vm) {
        Ok(text) => cut(&format!("{kind}: {}", text.to_string_lossy())),
        Err(_) => kind,
    }
}

/// Returns the text, or the beginning and the end of a long one.
fn cut(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(MAX_TEXT / 2);
    let tail = text.ceil_char_boundary(text.len() - MAX_TEXT / 2);
    format!("{}\n[... {} bytes were left out ...]\n{}", &text[..head], tail - head, &text[tail..])
}

/// What the library's own part needs of the machine.
#[pymodule]
mod _writ {
    use rustpython_vm::builtins::PyStrRef;
    use rustpython_vm::{PyResult, VirtualMachine};

    /// Bytes of randomness for one request. The host counts each 64 KiB of it.
    const MAX_RANDOM: usize = 1 << 20;

    /// Keeps what was printed. False: there is no room for it.
    #[pyfunction]
    fn write(text: PyStrRef) -> bool {
        let text = text.to_string_lossy();
        super::OUTPUT.with_borrow_mut(|kept| {
            let room = super::MAX_OUTPUT.saturating_sub(kept.len());
            let fits = text.len() <= room;
            kept.push_str(&text[..text.floor_char_boundary(room)]);
            fits
        })
    }

    #[pyfunction]
    fn urandom(size: usize, vm: &VirtualMachine) -> PyResult<Vec<u8>> {
        if size > MAX_RANDOM {
            return Err(vm.new_value_error(format!("os.urandom: at most {MAX_RANDOM} bytes at a time")));
        }
        let mut bytes = vec![0; size];
        getrandom::fill(&mut bytes).map_err(|e| vm.new_os_error(e.to_string()))?;
        Ok(bytes)
    }
}
