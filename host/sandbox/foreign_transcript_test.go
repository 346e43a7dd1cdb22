package sandbox_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/testdata/guests"
)

// settled is a Host with settings and nothing else.
type settled struct {
	sandbox.Host
	values map[string]string
}

func (settled) Preopens() []effect.Preopen { return nil }

func (h settled) Config(_ context.Context, key string) (string, *effect.Error) {
	if value, ok := h.values[key]; ok {
		return value, nil
	}
	return "", &effect.Error{Code: effect.NotFound, Text: "no such setting"}
}

func (settled) Fetch(context.Context, effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	return effect.HTTPResponse{}, &effect.Error{Code: effect.Denied, Text: "not granted"}
}

// A plug-in is answered as by Extism's own host for Go, byte for byte. What that answers was recorded by
// testdata/peers/conformance, which needs a download.
func TestForeignTranscript(t *testing.T) {
	raw, err := os.ReadFile("../../testdata/guests/extism/transcript.json")
	if err != nil {
		t.Fatal(err)
	}
	var script struct {
		Settings map[string]string
		Cases    []struct {
			Name, Input, Output, Failure string
			Ended                        bool
		}
	}
	if err := json.Unmarshal(raw, &script); err != nil {
		t.Fatal(err)
	}
	code := compileForeign(t, guests.Build(t, "extism"))
	for _, c := range script.Cases {
		t.Run(c.Name, func(t *testing.T) {
			call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(c.Input), Host: settled{values: script.Settings}, Limits: enough()}
			out := code.Run(t.Context(), call)
			switch {
			case c.Failure != "":
				wantFault(t, out, sandbox.FaultTool, c.Failure)
			case c.Ended, c.Output == "": // an answer of nothing is none here
				if out.Fault == nil {
					t.Errorf("output %q, want none", out.Output)
				}
			case out.Fault != nil || string(out.Output) != c.Output:
				t.Errorf("output %q (%v), want %q", out.Output, out.Fault, c.Output)
			}
			if out.Rung == sandbox.RungPlain {
				t.Error("the call started without an image")
			}
		})
	}
	if len(script.Cases) < 20 {
		t.Errorf("%d cases", len(script.Cases))
	}
}
