package trace_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/trace"
)

const (
	id     = "4bf92f3577b34da6a3ce929d0e0e4736"
	span   = "00f067aa0ba902b7"
	parent = "00-" + id + "-" + span + "-01"
)

func TestParse(t *testing.T) {
	for name, row := range map[string]struct {
		parent string
		valid  bool
	}{
		"the standard's own":        {parent, true},
		"a later version":           {"cc-" + parent[3:], true},
		"a later version with more": {"cc-" + parent[3:] + "-more", true},
		"nothing":                   {"", false},
		"version 0 with more":       {parent + "-more", false},
		"more without a dash":       {"cc-" + parent[3:] + "more", false},
		"version ff":                {"ff-" + parent[3:], false},
		"upper case":                {strings.ToUpper(parent), false},
		"no trace":                  {"00-" + strings.Repeat("0", 32) + "-" + span + "-01", false},
		"no parent":                 {"00-" + id + "-" + strings.Repeat("0", 16) + "-01", false},
		"not hexadecimal":           {strings.Replace(parent, "4b", "xx", 1), false},
		"a line break":              {parent[:54] + "\n", false},
		"cut":                       {parent[:54], false},
		"dashes elsewhere":          {strings.ReplaceAll(parent, "-", "_"), false},
	} {
		t.Run(name, func(t *testing.T) {
			c, ok := trace.Parse(row.parent, "")
			if ok != row.valid || !ok && c != (trace.Context{}) {
				t.Errorf("%+v, %v", c, ok)
			}
			if ok && (c.Trace != id || c.Parent != span || c.Flags != "01") {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestState(t *testing.T) {
	var many []string
	for i := range 33 {
		many = append(many, fmt.Sprintf("k%d=v", i))
	}
	for name, row := range map[string]struct {
		state string
		kept  bool
	}{
		"one":             {"vendor=1", true},
		"two":             {"a=1, b@x=2", true},
		"empty members":   {"a=1,,b=2", true},
		"a line break":    {"a=1\r\nX-Evil: 1", false},
		"not ASCII":       {"a=é", false},
		"no value":        {"a", false},
		"twice":           {"a=1,a=2", false},
		"upper-case key":  {"A=1", false},
		"too many":        {strings.Join(many, ","), false},
		"too long":        {"a=" + strings.Repeat("x", 600), false},
		"too long member": {"a=" + strings.Repeat("x", 300), false},
	} {
		t.Run(name, func(t *testing.T) {
			c, ok := trace.Parse(parent, row.state)
			if !ok || (c.State != "") != row.kept {
				t.Errorf("%+v, %v: a broken state does not break its parent", c, ok)
			}
		})
	}
}

func TestChildKeepsTheTrace(t *testing.T) {
	c, _ := trace.Parse(parent, "a=1")
	child, ok := trace.Parse(c.Child("00000000000000ab"), c.State)
	if !ok || child.Trace != id || child.Parent != "00000000000000ab" || child.Flags != "01" || child.State != "a=1" {
		t.Errorf("%+v, %v", child, ok)
	}
	if got := trace.From(trace.With(context.Background(), c)); got != c {
		t.Errorf("%+v", got)
	}
	if got := trace.From(context.Background()); got != (trace.Context{}) {
		t.Errorf("%+v", got)
	}
}

// Whatever is sent, what is kept can stand in a header and in one line of a log.
func FuzzParse(f *testing.F) {
	f.Add(parent, "a=1,b=2")
	f.Add("cc-"+parent[3:]+"-more", "a=1\r\nb: 2")
	f.Fuzz(func(t *testing.T, parent, state string) {
		c, ok := trace.Parse(parent, state)
		if !ok {
			return
		}
		for _, r := range c.Child(c.Parent) + c.State {
			if r != '\t' && (r < 0x20 || r > 0x7e) {
				t.Fatalf("%+q", r)
			}
		}
		if again, ok := trace.Parse(c.Child(c.Parent), c.State); !ok || again != c {
			t.Fatalf("%+v is read again as %+v", c, again)
		}
	})
}
