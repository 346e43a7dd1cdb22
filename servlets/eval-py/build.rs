//! Compiles the part of Python's library that the servlet ships to bytecode: what needs neither files nor a
//! network. The order is fixed, so that the same source gives the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use rustpython_compiler::{CompileOpts, Mode, compile};
use rustpython_compiler_core::frozen::{FrozenCodeObject, FrozenLib, FrozenModule};

/// Modules of the library, and packages with everything in them but what is left out.
const MODULES: &str = "__future__ _ast_unparse _collections_abc _colorize _compat_pickle _markupbase _opcode_metadata _py_abc \
    _py_warnings _pycodecs _pydatetime _pydecimal _pylong _sitebuiltins _strptime _threading_local _weakrefset abc annotationlib \
    ast base64 bisect calendar codecs codeop collections colorsys configparser contextlib contextvars copy copyreg csv dataclasses \
    datetime decimal difflib dis encodings enum fnmatch fractions functools genericpath graphlib hashlib heapq hmac html \
    importlib inspect io ipaddress json keyword linecache locale numbers opcode operator pickle pprint posixpath queue quopri \
    random re reprlib sched secrets shlex stat statistics string stringprep struct textwrap threading timeit token tokenize \
    tomllib traceback types typing urllib uuid warnings weakref xml zipimport";

/// What is left out of packages: codecs that nobody asks for, and what reads files or opens connections.
const WITHOUT: &[&str] = &["encodings.cp", "encodings.iso8859", "encodings.mac", "encodings.koi8", "encodings.big5", "encodings.euc",
    "encodings.gb", "encodings.hz", "encodings.iso2022", "encodings.johab", "encodings.kz1048", "encodings.ptcp154",
    "encodings.shift_jis", "encodings.tis_620", "encodings.hp_roman8", "encodings.palmos", "encodings.mbcs", "encodings.oem",
    "encodings.bz2", "encodings.zlib", "encodings.undefined", "importlib.metadata", "importlib.resources",
    "urllib.request", "urllib.robotparser", "urllib.response", "xml.dom.expatbuilder", "xml.sax.expatreader"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/python");
    if env::var("CARGO_CFG_TARGET_FAMILY").as_deref() == Ok("wasm") {
        // The interpreter calls itself for nested code. Its stack ends after the one that the host counts,
        // whose end has a clear text.
        println!("cargo::rustc-link-arg-cdylib=-zstack-size={}", 16 << 20);
    }
    let library = PathBuf::from(rustpython_pylib::LIB_PATH);
    let mut sources = BTreeMap::new();
    for name in MODULES.split_ascii_whitespace() {
        let file = library.join(format!("{name}.py"));
        match file.is_file() {
            true => drop(sources.insert(name.to_owned(), (file, false))),
            false => package(&library.join(name), name, &mut sources),
        }
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python");
    for file in listed(&own) {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        sources.insert(name, (file, false));
    }
    let modules: Vec<_> = sources.iter().map(|(name, (file, package))| (name.as_str(), frozen(name, file, *package))).collect();
    let lib = FrozenLib::encode(modules.iter().map(|(name, m)| {
        (*name, FrozenModule { code: FrozenCodeObject { bytes: m.code.bytes.as_slice() }, package: m.package })
    }));
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap()).join("library.bin"), lib.bytes).unwrap();
}

/// Adds a package and what is in it.
fn package(folder: &Path, name: &str, sources: &mut BTreeMap<String, (PathBuf, bool)>) {
    sources.insert(name.to_owned(), (folder.join("__init__.py"), true));
    for path in listed(folder) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let inner = format!("{name}.{stem}");
        if stem.starts_with("__") || WITHOUT.iter().any(|skip| inner.starts_with(skip)) {
            continue;
        }
        if path.is_dir() {
            package(&path, &inner, sources);
        } else if path.extension().is_some_and(|e| e == "py") {
            sources.insert(inner, (path, false));
        }
    }
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut all: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

fn frozen(name: &str, file: &Path, package: bool) -> FrozenModule<Vec<u8>> {
    let source = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let source = source.strip_prefix('\u{feff}').unwrap_or(&source);
    let code = compile(source, Mode::Exec, &format!("<frozen {name}>"), CompileOpts::default())
        .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    FrozenModule { code: FrozenCodeObject::encode(&code), package }
}
