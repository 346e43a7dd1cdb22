// Package rust holds the source of the SDK that servlets in Rust are built with: two crates, writ-servlet
// and its attributes in the folder derive. The toolchain lays it down beside an author's code.
package rust

import "embed"

// Source are the crates' manifests, sources and introduction.
//
//go:embed Cargo.toml README.md src derive/Cargo.toml derive/src
var Source embed.FS
