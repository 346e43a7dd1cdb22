package wasm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// The WebAssembly specification's own tests, as the runtime's module ships them: each module is run
// plain and metered side by side, and every action must do the same in both.
func TestSpecification(t *testing.T) {
	root := specFolder(t)
	scripts, err := w.SpecScripts(root)
	if err != nil {
		t.Fatal(err)
	}
	host, err := w.SpecHost(root)
	if err != nil {
		t.Fatal(err)
	}
	for engine, config := range map[string]wazero.RuntimeConfig{
		"interpreter": wazero.NewRuntimeConfigInterpreter(),
		"compiler":    wazero.NewRuntimeConfigCompiler(),
	} {
		t.Run(engine, func(t *testing.T) {
			var total specCount
			for _, script := range scripts {
				t.Run(strings.TrimSuffix(filepath.Base(script), ".json"), func(t *testing.T) {
					runSpec(t, script, host, config, &total)
				})
			}
			t.Logf("%+v", total)
			if total.Modules < 1_430 || total.Actions < 46_500 || total.Invalid < 2_800 {
				t.Errorf("too few ran: %+v", total)
			}
		})
	}
}

// specFolder finds the tests in the module cache.
func specFolder(t *testing.T) string {
	root, err := w.SpecFolder()
	if err != nil {
		t.Skip(err)
	}
	return root
}

// specCount is what ran.
type specCount struct {
	Modules, Actions, Traps int
	Invalid                 int // refused, as they must be, by the gate or the validator
	Foreign                 int // valid modules that the gate refuses, or that link to such ones
}

// specPair is one module in both forms; nil when the gate does not take it.
type specPair struct{ plain, metered api.Module }

// specRun is one script in the making.
type specRun struct {
	plain, metered *machine
	modules        map[string]*specPair // by name; "" is the latest
	foreign        bool                 // a module is missing: only that both forms agree can be told
	count          *specCount
	folder         string
}

func runSpec(t *testing.T, script string, host []byte, config wazero.RuntimeConfig, count *specCount) {
	commands, err := w.ReadSpec(script)
	if err != nil {
		t.Fatal(err)
	}
	run := &specRun{
		plain: newMachine(t, config), metered: newMachine(t, config), modules: map[string]*specPair{},
		count: count, folder: filepath.Dir(script),
	}
	for _, m := range []*machine{run.plain, run.metered} {
		if _, err := m.InstantiateWithConfig(t.Context(), host, wazero.NewModuleConfig().WithName("spectest")); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range commands {
		if err := run.command(c, asName(commands[i:])); err != nil {
			t.Errorf("%s:%d: %s %s: %v", filepath.Base(script), c.Line, c.Type, c.Action.Field, err)
		}
	}
}

// asName is the name under which the module that the first command makes is registered later: the
// runtime names a module only as it is made.
func asName(commands []w.SpecCommand) string {
	latest := true
	for i, c := range commands {
		switch {
		case i > 0 && c.Type == "module":
			latest = false
		case c.Type == "register" && (c.Name == "" && latest || c.Name != "" && c.Name == commands[0].Name):
			return c.As
		}
	}
	return ""
}

func (r *specRun) command(c w.SpecCommand, as string) error {
	switch c.Type {
	case "module":
		pair, err := r.instantiate(c.Filename, as)
		r.modules[""], r.modules[c.Name] = pair, pair
		return err
	case "action", "assert_return":
		return r.action(c, false)
	case "assert_trap":
		return r.action(c, true)
	case "assert_exhaustion":
		return r.action(c, true)
	case "assert_invalid", "assert_malformed":
		if c.Format == "text" {
			return nil
		}
		return r.invalid(c)
	case "assert_unlinkable", "assert_uninstantiable":
		// The runtime passes over element segments that do not fit; that both forms agree is all
		// there is to tell.
		if _, err := r.instantiate(c.Filename, ""); errors.Is(err, errForms) {
			return err
		}
	}
	return nil
}

var errForms = errors.New("the plain and the metered form differ")

// gateRefusals are the rules that the specification's tests break on purpose.
var gateRefusals = []string{"only functions may be imported", "memories: found", "tables: found"}

// instantiate makes both forms of a module. Both must fail or neither.
func (r *specRun) instantiate(file, as string) (*specPair, error) {
	module, err := os.ReadFile(filepath.Join(r.folder, file))
	if err != nil {
		return nil, err
	}
	module = w.WithMemory(module)
	metered, err := r.metered.meter(module, openRules(module))
	if err != nil {
		for _, rule := range gateRefusals {
			if strings.Contains(err.Error(), rule) {
				r.foreign = true
				r.count.Foreign++
				return nil, nil
			}
		}
		return nil, err
	}
	var pair specPair
	config := anonymous.WithName(as)
	var plainErr, meteredErr error
	pair.plain, plainErr = r.plain.InstantiateWithConfig(context.Background(), module, config)
	pair.metered, meteredErr = r.metered.start(metered, config, 1<<40, plenty)
	if (plainErr == nil) != (meteredErr == nil) {
		return nil, fmt.Errorf("%w: plain: %v; metered: %v", errForms, plainErr, meteredErr)
	}
	if plainErr != nil && r.foreign {
		r.count.Foreign++
		return nil, nil
	}
	r.count.Modules++
	return &pair, plainErr
}

// action runs an exported function, or reads a global, in both forms.
func (r *specRun) action(c w.SpecCommand, traps bool) error {
	pair := r.modules[c.Action.Module]
	if pair == nil {
		return nil
	}
	r.count.Actions++
	if c.Action.Type == "get" {
		if p, m := pair.plain.ExportedGlobal(c.Action.Field).Get(), pair.metered.ExportedGlobal(c.Action.Field).Get(); p != m {
			return fmt.Errorf("plain %x, metered %x", p, m)
		}
		return nil
	}
	var args []uint64
	for _, v := range c.Action.Args {
		words, err := v.Words()
		if err != nil {
			return err
		}
		args = append(args, words...)
	}
	before := pair.metered.ExportedGlobal(wasm.StackExport).Get()
	plain, plainErr := pair.plain.ExportedFunction(c.Action.Field).Call(context.Background(), args...)
	metered, meteredErr := pair.metered.ExportedFunction(c.Action.Field).Call(context.Background(), args...)
	stack := pair.metered.ExportedGlobal(wasm.StackExport)
	if meteredErr != nil {
		stack.(api.MutableGlobal).Set(before) // a host would discard the instance
	}
	if traps {
		r.count.Traps++
	}
	switch {
	case r.foreign && plainErr != nil && meteredErr != nil && trapText(plainErr) == trapText(meteredErr):
		return nil
	case traps != (plainErr != nil) || traps != (meteredErr != nil):
		return fmt.Errorf("plain: %v; metered: %v", plainErr, meteredErr)
	case traps && c.Type != "assert_exhaustion" && trapText(plainErr) != trapText(meteredErr):
		return fmt.Errorf("plain: %v; metered: %v", trapText(plainErr), trapText(meteredErr))
	case !slices.Equal(plain, metered):
		return fmt.Errorf("plain %x, metered %x", plain, metered)
	case stack.Get() != before:
		return fmt.Errorf("stack %d became %d", before, stack.Get())
	}
	return nil
}

// trapText is the cause without the stack trace.
func trapText(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// invalid wants a module refused, wherever.
func (r *specRun) invalid(c w.SpecCommand) error {
	module, err := os.ReadFile(filepath.Join(r.folder, c.Filename))
	if err != nil {
		return err
	}
	if !strings.Contains(c.Text, "unknown memory") {
		module = w.WithMemory(module)
	}
	if _, err := r.metered.meter(module, openRules(module)); err == nil {
		return errors.New("was admitted")
	}
	r.count.Invalid++
	return nil
}
