// Package typescript holds what TypeScript servlets are built with: the script engine, the sources of
// the SDK that the toolchain bundles with an author's code, and the types that an editor reads.
//
// engine/engine.wasm is QuickJS-NG and the glue beside it, made by "make engine".
package typescript

import "embed"

// Engine is the script engine as a Wasm module (engine/build.sh).
//
//go:embed engine/engine.wasm
var Engine []byte

// Sources are the SDK's modules, in the folder src.
//
//go:embed src/*.ts
var Sources embed.FS

// Types are the declarations of what the SDK exports and of the web's names, in the folder types.
//
//go:embed types/*.d.ts
var Types embed.FS
