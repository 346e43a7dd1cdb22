#!/bin/sh
# Builds engine.wasm from the QuickJS-NG sources and the glue beside this script: the same bytes every
# time. WRIT_QJS_SRC names the Debian package qjs-src; without it, apt fetches it. WRIT_ENGINE_OUT names
# another file to write, and leaves SHA256SUMS as it is.
set -eu
cd "$(dirname "$0")"
version=0.17.0-1
sum=04631979bdadaccffd76c1cb0aff5d07389aa889a90b6a902eba858a3a3b3988
out=${WRIT_ENGINE_OUT:-engine.wasm}
for tool in clang-19 wasm-ld-19 wasm-opt dpkg-deb patch; do
	command -v $tool >/dev/null || {
		echo "build.sh: there is no $tool: install clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32 binaryen dpkg patch" >&2
		exit 1
	}
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ -n "${WRIT_QJS_SRC:-}" ]; then
	cp "$WRIT_QJS_SRC" "$work/src.deb"
else
	(cd "$work" && apt-get download -qq "qjs-src=$version" && mv qjs-src_*.deb src.deb) || {
		echo "build.sh: apt has no qjs-src $version: name the package with WRIT_QJS_SRC=FILE" >&2
		exit 1
	}
fi
echo "$sum  $work/src.deb" | sha256sum -c --quiet
dpkg-deb -x "$work/src.deb" "$work"
src=$work/usr/src/quickjs-ng

# change FILE SED-SCRIPT EXPECTED changes a line of the sources, and fails when it is not there.
change() {
	sed -i "$2" "$src/$1"
	grep -qF "$3" "$src/$1" || { echo "build.sh: a change of $1 does not apply: $3" >&2; exit 1; }
}
# Arenas whose size inside.c says.
change quickjs.c 's/^#define JS_ARENA_SIZE .*/#define JS_ARENA_SIZE arena_size()/' '#define JS_ARENA_SIZE arena_size()'
# Statements and properties that are read are places in line tables, as calls are already: exceptions
# come from all of them.
change quickjs.c 's/^    switch(tok = s->token.val) {$/    emit_source_loc(s); switch(tok = s->token.val) {/' \
	'emit_source_loc(s); switch(tok = s->token.val) {'
change quickjs.c '/^        parse_property:/,/emit_op(s, OP_get_field);/s/emit_op(s, OP_get_field);/emit_source_loc(s); &/' \
	'emit_source_loc(s); emit_op(s, OP_get_field);'

# References to what every call starts with are not counted (references.h): a call would write to each of
# its pages. The cycle collector counts them all, there and back.
sed -i '/^static void gc_/,/^}/b
s/--JS_REF_COUNT(\([a-z0-9_>-]*\))/js_rc_dec(\1)/
s/JS_REF_COUNT(\([a-z0-9_>-]*\))--/js_rc_dec(\1)/
s/JS_REF_COUNT(\([a-z0-9_>-]*\))++/js_rc_inc(\1)/' "$src/quickjs.c"
[ "$(grep -c 'js_rc_[a-z]*(' "$src/quickjs.c")" = 25 ] || { echo "build.sh: quickjs.c counts references in other places" >&2; exit 1; }
change quickjs.c 's/^#define JS_GC_MARK(p) .*/&\n#include "references.h"/' '#include "references.h"'

# Calls of scripts' functions by each other do not nest in the interpreter (calls.c).
patch -s -d "$src" -p1 <nested.patch

# EMSCRIPTEN selects switch dispatch, which is smaller and faster in Wasm than computed goto, and leaves
# threads and Atomics out. -O2 is two thirds larger, runs scripts a twentieth faster, and its calls take
# more of the host's stack.
flags="--target=wasm32-wasi -Oz -std=gnu11 -D_GNU_SOURCE -DEMSCRIPTEN -DNDEBUG -funsigned-char
 -mbulk-memory -msign-ext -mnontrapping-fptoint -w -I$src -I. -ffile-prefix-map=$work=. -ffile-prefix-map=$PWD=."
for file in "$src/libregexp.c" "$src/libunicode.c" "$src/dtoa.c" inside.c memory.c host.c files.c entry.c; do
	clang-19 $flags -c "$file" -o "$work/$(basename "$file" .c).o"
done
# The stack comes first: overflowing it traps instead of overwriting data. -Oz here makes clang run
# wasm-opt (package binaryen), without which the file is a tenth larger.
cd "$work"
clang-19 --target=wasm32-wasi -Oz -mexec-model=reactor -Wl,-z,stack-size=524288 -Wl,--stack-first \
	-Wl,--strip-all -Wl,--gc-sections -o engine.wasm \
	inside.o memory.o host.o files.o entry.o libregexp.o libunicode.o dtoa.o -lm -lc-printscan-no-floating-point
cd - >/dev/null
if cmp -s "$work/engine.wasm" engine.wasm; then
	echo "engine.wasm is what is committed"
else
	echo "engine.wasm is new: $(wc -c <"$work/engine.wasm") bytes"
fi
mv "$work/engine.wasm" "$out"
[ "$out" != engine.wasm ] || sha256sum build.sh *.c *.h *.patch engine.wasm >SHA256SUMS
