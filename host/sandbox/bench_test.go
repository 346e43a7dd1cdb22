package sandbox_test

import (
	"context"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/testdata/guests"
)

// hundred is a request of 100 bytes.
const hundred = `{"nums":[1,2.5,3,4,5,6,7,8,9,10],"text":"0123456789012345678901234567890123456789012345678901234567"}`

// BenchmarkRunPlainGo is one call of a Go guest in a fresh instance, guard not included.
func BenchmarkRunPlainGo(b *testing.B) {
	code := compile(b, guests.Build(b, "plain"))
	call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(hundred), Limits: enough()}
	for b.Loop() {
		if out := code.Run(b.Context(), call); out.Fault != nil {
			b.Fatal(out.Fault)
		}
	}
}

// BenchmarkRunLeast is one call of the least guest: what a fresh instance costs by itself.
func BenchmarkRunLeast(b *testing.B) {
	code := compile(b, grower(0))
	call := sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}
	for b.Loop() {
		if out := code.Run(b.Context(), call); out.Fault != nil {
			b.Fatal(out.Fault)
		}
	}
}

func BenchmarkAdmitGo(b *testing.B) {
	module := guests.Build(b, "plain")
	for b.Loop() {
		if _, err := sandbox.Admit(module, capabilities.ABI, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompileGo compiles in an engine of its own each time: an engine keeps what it compiled.
func BenchmarkCompileGo(b *testing.B) {
	admitted, err := sandbox.Admit(guests.Build(b, "plain"), capabilities.ABI, nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		e, err := sandbox.New(context.Background(), sandbox.Config{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Compile(context.Background(), admitted); err != nil {
			b.Fatal(err)
		}
		if err := e.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
