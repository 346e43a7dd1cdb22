package differential

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// specModule is one module of a script in all its forms.
type specModule struct {
	where     string
	forms     []form
	instances []instance
	exhausted bool // a call was cut where each runtime likes: what it left behind is not compared
}

// specRun is one script in the making.
type specRun struct {
	t       *testing.T
	tally   *tally
	engines []engine
	script  string
	folder  string
	modules map[string]*specModule // by name; "" is the latest; nil: left out
	all     []*specModule
}

func (r *specRun) command(c w.SpecCommand) {
	switch c.Type {
	case "module":
		m := r.instantiate(c)
		r.modules[""] = m
		if c.Name != "" {
			r.modules[c.Name] = m
		}
	case "action", "assert_return", "assert_trap", "assert_exhaustion":
		r.act(c)
	}
}

// instantiate makes all forms of a module; nil: it is left out.
func (r *specRun) instantiate(c w.SpecCommand) *specModule {
	binary, err := os.ReadFile(filepath.Join(r.folder, c.Filename))
	if err != nil {
		r.t.Fatal(err)
	}
	module, err := exposed(binary)
	if err != nil {
		r.t.Fatalf("%s: %v", c.Filename, err)
	}
	list, refused, err := forms(r.engines, module, 1<<40, 16<<20)
	switch {
	case refused != nil:
		r.tally.leave("modules that the gate refuses: " + rule(refused))
		return nil
	case err != nil:
		r.t.Fatalf("%s: %v", c.Filename, err)
	}
	m := &specModule{where: c.Filename, forms: list}
	r.tally.modules++
	var first error
	for i, f := range list {
		in, err := f.begin()
		if i == 0 {
			first = err
		}
		if (err == nil) != (first == nil) {
			r.tally.differences++
			r.t.Errorf("%s: %s: %v; %s: %v", c.Filename, list[0].text, first, f.text, err)
			return nil
		}
		if err == nil {
			m.instances = append(m.instances, in)
		}
	}
	if first != nil {
		r.t.Fatalf("%s: %v", c.Filename, first)
	}
	r.all = append(r.all, m)
	return m
}

// rule shortens a refusal to the rule that was broken.
func rule(err error) string {
	text := strings.TrimPrefix(err.Error(), "gating module: ")
	for found, known := range map[string]string{
		"only functions may be imported": "they import a table, memory or global",
		"(unknown)":                      "they import functions of other modules",
		"tables: found":                  "they have several tables",
		memoryExport:                     "they have no memory of their own",
	} {
		if strings.Contains(text, found) {
			return known
		}
	}
	return text
}

// act runs an action in all forms.
func (r *specRun) act(c w.SpecCommand) {
	m := r.modules[c.Action.Module]
	if m == nil {
		r.tally.leave("actions of modules that are left out")
		return
	}
	if c.Action.Type == "get" {
		r.tally.leave("reading a global: all are compared in the end")
		return
	}
	var args []uint64
	function := c.Action.Field
	for _, v := range c.Action.Args {
		words, err := v.Words()
		if err != nil {
			r.t.Fatal(err)
		}
		args = append(args, words...)
	}
	r.tally.calls++
	var first outcome
	for i, in := range m.instances {
		results, err := in.call(wordsExport+function, args)
		if errors.Is(err, errNoFunction) {
			results, err = in.call(function, args)
		}
		o := outcome{results: results}
		if err != nil {
			o.trap = err.Error()
			m.forms[i].rewind(in)
		}
		if i == 0 {
			first = o
		}
		if !o.equal(first) {
			r.tally.differences++
			r.t.Errorf("%s:%d: %s%x\n%30s: %v\n%30s: %v", r.script, c.Line, function, args, m.forms[0].text, first, m.forms[i].text, o)
			break
		}
	}
	switch first.trap {
	case "":
	case trapExhausted:
		r.tally.cut++
		m.exhausted = true
	default:
		r.tally.traps++
	}
}

// end compares what the script left in all modules.
func (r *specRun) end() {
	for _, m := range r.all {
		var first string
		for i, in := range m.instances {
			if m.exhausted {
				r.tally.leave("states after a recursion without end")
				break
			}
			s := state(in)
			if i == 0 {
				first = s
			}
			if s != first {
				r.tally.differences++
				r.t.Errorf("%s, in the end\n%30s: %s\n%30s: %s", filepath.Base(m.where), m.forms[0].text, first, m.forms[i].text, s)
				break
			}
		}
		for i, in := range m.instances {
			in.close()
			m.forms[i].program.close()
		}
	}
}
