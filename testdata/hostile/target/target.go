// Package target is the product as attacks meet it: engines of every rung, a host that grants whatever it is asked, and
// a home with servlets in several spaces. Nothing here decides: what stops an attack is the product's own code.
package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/sandbox/image"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
)

// Way is a way to a fresh instance.
type Way string

// The ways. All are equally fresh; Reset is what the product takes where the system allows it.
const (
	Reset            Way = "reset"
	ResetWhole       Way = "reset/whole"
	ResetPortable    Way = "reset/portable"
	Instance         Way = "instance"
	InstancePortable Way = "instance/portable"
	Plain            Way = "plain"
)

// Ways are all of them, or a few that differ most where a row is to end soon.
func Ways(r *attack.Report) []Way {
	if r.First {
		return []Way{Reset, InstancePortable, Plain}
	}
	return []Way{Reset, ResetWhole, ResetPortable, Instance, InstancePortable, Plain}
}

var configs = map[Way]sandbox.Config{
	Reset:            {},
	ResetWhole:       {Method: image.Whole},
	ResetPortable:    {Method: image.Portable},
	Instance:         {Best: sandbox.RungInstance},
	InstancePortable: {Best: sandbox.RungInstance, Method: image.Portable},
	Plain:            {Best: sandbox.RungPlain},
}

var engines struct {
	sync.Mutex
	dir    string // everything that attacks leave on disk
	made   map[Way]*sandbox.Engine
	closes []func() error
}

// Dir makes a folder that Close removes.
func Dir() (string, error) {
	engines.Lock()
	defer engines.Unlock()
	if engines.dir == "" {
		dir, err := os.MkdirTemp("", "writ-attacks-")
		if err != nil {
			return "", err
		}
		engines.dir = dir
	}
	return os.MkdirTemp(engines.dir, "")
}

// Engine returns the engine of a way. A process has one of each.
func Engine(way Way) (*sandbox.Engine, error) {
	engines.Lock()
	defer engines.Unlock()
	if e := engines.made[way]; e != nil {
		return e, nil
	}
	cfg, ok := configs[way]
	if !ok {
		return nil, fmt.Errorf("no way %q", way)
	}
	e, err := sandbox.New(context.Background(), cfg)
	if err != nil {
		return nil, err
	}
	if engines.made == nil {
		engines.made = map[Way]*sandbox.Engine{}
	}
	engines.made[way] = e
	engines.closes = append(engines.closes, func() error { return e.Close(context.Background()) })
	return e, nil
}

// Close frees engines and homes, and removes what was on disk.
func Close() error {
	engines.Lock()
	defer engines.Unlock()
	var errs []error
	for i := len(engines.closes) - 1; i >= 0; i-- {
		errs = append(errs, engines.closes[i]())
	}
	engines.closes, engines.made = nil, nil
	if engines.dir != "" {
		errs = append(errs, os.RemoveAll(engines.dir))
		engines.dir = ""
	}
	return errors.Join(errs...)
}

// Kinds are all kinds of capability, those included that no manifest can ask for yet.
var Kinds = []capabilities.Kind{capabilities.KindHTTP, capabilities.KindWeb, capabilities.KindConfig, capabilities.KindKV, "elicit"}

// Admit gates a module that asks for everything.
func Admit(module []byte) (sandbox.Admitted, error) {
	return sandbox.Admit(module, capabilities.ABI, Kinds)
}

// Compile makes code of a module that asks for everything. The caller closes it.
func Compile(way Way, module []byte) (*sandbox.Code, error) {
	e, err := Engine(way)
	if err != nil {
		return nil, err
	}
	admitted, err := Admit(module)
	if err != nil {
		return nil, err
	}
	return e.Compile(context.Background(), admitted)
}

// Run compiles a module for one call.
func Run(way Way, module []byte, call sandbox.Call) (out sandbox.Outcome, err error) {
	code, err := Compile(way, module)
	if err != nil {
		return out, err
	}
	out = code.Run(context.Background(), call)
	return out, code.Close(context.Background())
}

// Limits are more than an honest call needs.
func Limits() sandbox.Limits {
	return sandbox.Limits{Memory: 16 << 20, Wall: 20 * time.Second, Output: 1 << 20, Log: 64 << 10, HostCalls: 1 << 20}
}

// Call enters servlet_call with Limits.
func Call(host sandbox.Host, input ...byte) sandbox.Call {
	return sandbox.Call{Entry: sandbox.EntryCall, Input: input, Host: host, Limits: Limits()}
}

// Guest is a module with a page of memory whose entry is what define returns. Imports are made in define, before its code.
func Guest(define func(m *w.Module) [][]byte) []byte {
	m := &w.Module{}
	body := define(m)
	m.Memory(w.AtLeast(1))
	m.Func(string(sandbox.EntryCall), "", "i", body...)
	return m.Bytes()
}

// Fault tells how an outcome differs from the one fault that an attack has to end in.
func Fault(out sandbox.Outcome, kind sandbox.FaultKind, text string) error {
	switch {
	case out.Fault == nil:
		return fmt.Errorf("no fault, output %.80q; want %s: %s", out.Output, kind, text)
	case out.Output != nil:
		return fmt.Errorf("a failed call has the output %.80q", out.Output)
	case out.Fault.Kind != kind || out.Fault.Text != text:
		return fmt.Errorf("fault %q; want %s: %s", out.Fault, kind, text)
	}
	return nil
}

// Output tells how an outcome differs from the one answer that an attack has to end in.
func Output(out sandbox.Outcome, want []byte) error {
	if out.Fault != nil {
		return fmt.Errorf("fault %q; want the output %.80q", out.Fault, want)
	}
	if !bytes.Equal(out.Output, want) {
		return fmt.Errorf("output %.80q; want %.80q", out.Output, want)
	}
	return nil
}

var position = regexp.MustCompile(`at byte \d+:`)

// Refused tells how an error differs from the one refusal that an attack has to end in. Places in a file are written
// "at byte N:" in want.
func Refused(err error, want string) error {
	if err == nil {
		return fmt.Errorf("not refused; want %s", want)
	}
	if got := position.ReplaceAllString(err.Error(), "at byte N:"); got != want {
		return fmt.Errorf("refused with %.300q; want %.300q", got, want)
	}
	return nil
}
