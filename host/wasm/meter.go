package wasm

import (
	"errors"
	"fmt"
)

// ErrInvalid is Validate's refusal. It says no more: a runtime's text may hold names that the guest
// chose.
var ErrInvalid = errors.New("it is not valid WebAssembly 2.0 (a function body, constant or index is wrong)")

// Names that metering adds to a module. The gate refuses modules that use them.
const (
	FuelExport   = "writ.fuel"    // i64 global: units left; negative means it ran out
	StackExport  = "writ.stack"   // i64 global: bytes of stack that nested calls may still take, at least; negative means that nobody knows
	StartExport  = "writ.start"   // the start function, exported in place of being run
	GlobalExport = "writ.global." // + index among the module's own globals: each mutable one
	YieldModule  = "writ"         // namespace of the one import that is added:
	YieldName    = "yield"        // () -> (): called when one of the two ran out; the host refills it or traps

	reservedPrefix = "writ."
)

// Validated is a gated module that a runtime found valid. Metering an invalid module could make it
// valid with another meaning (a global index one too high becomes the fuel counter), so Meter takes
// nothing else. Only Validate makes one.
type Validated struct{ gated Gated }

// Validate asks valid, a full validator such as a runtime's compile step, about the gated bytes.
func Validate(g Gated, valid func(code []byte) error) (Validated, error) {
	if g.code == nil {
		return Validated{}, errors.New("validating module: it was not gated")
	}
	if err := valid(g.code); err != nil {
		return Validated{}, fmt.Errorf("validating module: %w", ErrInvalid)
	}
	return Validated{gated: g}, nil
}

// Metered is a module that charges fuel at function entries, loop heads and by length for bulk
// operations, counts the stack that its calls take, exports its state and keeps no data segments of its own: nothing
// of a snapshot is baked into it, so that servlets with the same code share one compilation.
type Metered struct {
	code  []byte
	shape Shape
	data  []segment
}

// Shape is what a static scan learnt of a module's mutable state: what a reset must restore.
type Shape struct {
	Globals   []string // exports of the module's own mutable globals, in order
	Start     bool     // has a start function, exported as StartExport
	Tables    bool     // can change a table or drop element segments: cannot be reset in place
	Passive   bool     // uses memory.init or data.drop: cannot be reset in place
	Unusual   string   // why it cannot be captured at all (a mutable global of a reference type, ...), or ""
	MemoryMin uint32   // pages
	MemoryMax uint32   // pages
	Beside    int64    // bytes of the host's memory that an instance takes beside its own, for segments, tables and globals
}

// Meter rewrites v.
func Meter(v Validated) (Metered, error) {
	if v.gated.code == nil {
		return Metered{}, errors.New("metering module: it was not validated")
	}
	m, err := rewrite(v.gated)
	if err != nil {
		return Metered{}, fmt.Errorf("metering module: %w", err)
	}
	return m, nil
}

// Code returns the module to compile. Equal code means that one compilation serves both.
func (m Metered) Code() []byte { return m.code }

// Shape returns what a reset must restore.
func (m Metered) Shape() Shape { return m.shape }

// WriteData writes the active data segments that Code no longer has, in order, before the start
// function or _initialize runs. write reports false when a segment does not fit.
func (m Metered) WriteData(write func(offset uint32, data []byte) bool) error {
	for i, d := range m.data {
		if !write(d.offset, d.bytes) {
			return fmt.Errorf("writing data segment %d: %d bytes at %d lie outside the memory", i, len(d.bytes), d.offset)
		}
	}
	return nil
}
