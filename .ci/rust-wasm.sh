#!/usr/bin/env bash
# rust-wasm.sh FOLDER puts a Rust that compiles for WebAssembly into FOLDER, of Debian's packages alone, for a
# machine on which rustup cannot download. FOLDER/bin then has cargo and rustc. It takes a minute and a half,
# and nothing when FOLDER is complete. Needs gcc and the right to install packages.
#
# Debian has no library for the target wasm32-wasip1 that fits this compiler, but the library's source: it is
# compiled here, without a network.
set -euo pipefail

folder=$(realpath -m "${1:?rust-wasm.sh FOLDER}")
target=wasm32-wasip1
if [ -e "$folder/complete" ]; then exit 0; fi

# What cargo is linked to, and the C library for WebAssembly.
shared=(libgit2-1.5 libssh2-1 libcurl4 libsqlite3-0 wasi-libc)
# Unpacked, not installed: these would take the place of a Rust that the machine has.
packages=(rustc-web cargo-web rust-web-src libstd-rust-web-dev libstd-rust-web-1.96 libllvm22 lld-22)

if ! dpkg -s "${shared[@]}" >/dev/null 2>&1; then
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${shared[@]}"
fi
rm -rf "$folder/usr" "$folder/bin"
mkdir -p "$folder/bin"

# A download that was cut off is no set of packages: what is in packages is complete.
download() {
	if [ -d "$folder/packages" ]; then return; fi
	rm -rf "$folder/downloading"
	mkdir -p "$folder/downloading"
	(cd "$folder/downloading" && { apt-get download -qq "${packages[@]}" || { apt-get update -qq && apt-get download -qq "${packages[@]}"; }; })
	mv "$folder/downloading" "$folder/packages"
}
unpack() { for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder" || return; done; }
download
if ! unpack; then
	rm -rf "$folder/packages" "$folder/usr"
	download
	unpack
fi

rust=$folder/usr
libraries=$rust/lib/rustlib
source=$libraries/src/rust/library
host=$(gcc -dumpmachine) # such as x86_64-linux-gnu
triple=${host/-linux/-unknown-linux}
# The compiler looks for its own libraries beside bin, and for its linker under a name of its own.
(cd "$rust/lib" && ln -sf "$host"/*.so* .)
mkdir -p "$libraries/$triple/bin"
ln -sf "$rust/lib/llvm-22/bin/lld" "$libraries/$triple/bin/rust-lld"
for tool in cargo rustc; do
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%s/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} exec %s/bin/%s "$@"\n' "$rust" "$rust" "$tool" >"$folder/bin/$tool"
	chmod +x "$folder/bin/$tool"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
: >"$work/src/lib.rs"
cat >"$work/Cargo.toml" <<'END'
[package]
name = "nothing"
version = "0.0.0"
edition = "2021"
END
cat >"$work/vendored.toml" <<END
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "$source/vendor"
END
# Places in the library's source get into panics of servlets: they must not name this folder.
(cd "$work" && env PATH="$folder/bin:/usr/bin:/bin" CARGO_HOME="$work/home" RUSTC_BOOTSTRAP=1 RUSTUP_TOOLCHAIN= \
	RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=$source=/rustc/library" \
	cargo build --quiet --release --offline --config vendored.toml -Zbuild-std=std,panic_abort --target $target)

to=$libraries/$target/lib
rm -rf "$to"
mkdir -p "$to/self-contained"
cp "$work/target/$target/release/deps/"lib*.rlib "$to/"
rm -f "$to"/libnothing-*.rlib
cp /usr/lib/wasm32-wasi/{libc.a,crt1-command.o,crt1-reactor.o} "$to/self-contained/"
rm -rf "$folder/packages"
touch "$folder/complete"
