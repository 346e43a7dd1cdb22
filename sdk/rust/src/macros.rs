/// Makes a servlet of tools: functions with the attribute [`#[tool]`](macro@crate::tool), or other types
/// that implement [`Tool`](trait@crate::Tool). Write it once, in `src/lib.rs`. It defines `SERVLET`, which
/// tests start from, and what the module exports.
///
/// ```
/// # use writ_servlet::tool;
/// # #[tool] fn forecast() -> String { String::new() }
/// # #[tool] fn alerts() -> String { String::new() }
/// writ_servlet::servlet!(forecast, alerts);
/// # fn main() {}
/// ```
///
/// What takes long and is the same for every call, such as reading a table, a function does beforehand:
/// Writ runs it once, after the servlet was approved, and every call starts with what it left in memory. It
/// reaches nothing outside, and what it learns of clocks and of chance would be the same for all calls.
///
/// ```
/// # use writ_servlet::tool;
/// # #[tool] fn forecast() -> String { String::new() }
/// use std::sync::OnceLock;
///
/// static STATIONS: OnceLock<Vec<&str>> = OnceLock::new();
///
/// fn stations() -> &'static [&'static str] {
///     STATIONS.get_or_init(|| "Oslo Bergen".split(' ').collect())
/// }
///
/// fn prepare() {
///     stations();
/// }
///
/// writ_servlet::servlet!(forecast; warm = prepare);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! servlet {
    ($($tool:path),+ $(,)? $(; warm = $warm:path)?) => {
        /// The tools of this servlet.
        pub static SERVLET: $crate::Servlet = $crate::Servlet::new(&[$($crate::__private::Entry::of::<$tool>()),+])$(.warmed_by($warm))?;

        $crate::__exports!();
    };
}

/// What a module exports: nothing, where there is none.
#[doc(hidden)]
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! __exports {
    () => {};
}

#[doc(hidden)]
#[cfg(all(target_family = "wasm", not(feature = "describe")))]
#[macro_export]
macro_rules! __exports {
    () => {
        $crate::__calls!();
    };
}

#[doc(hidden)]
#[cfg(all(target_family = "wasm", feature = "describe"))]
#[macro_export]
macro_rules! __exports {
    () => {
        $crate::__calls!();

        #[no_mangle]
        extern "C" fn servlet_describe() -> i32 {
            $crate::__private::describe(&SERVLET)
        }
    };
}

#[doc(hidden)]
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! __calls {
    () => {
        #[no_mangle]
        extern "C" fn _initialize() {
            $crate::__private::initialize()
        }

        #[no_mangle]
        extern "C" fn servlet_call() -> i32 {
            $crate::__private::call(&SERVLET)
        }

        #[no_mangle]
        extern "C" fn servlet_warm() -> i32 {
            $crate::__private::warm(&SERVLET)
        }
    };
}
