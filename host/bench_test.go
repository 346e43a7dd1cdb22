package host_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
)

// BenchmarkCallTool is what the host adds to a small call: everything but the guest, which answers at
// once. The tool that writes has one directory, which is opened for each call.
func BenchmarkCallTool(b *testing.B) {
	for tool, arguments := range map[string]string{
		"say":   `{"raw":"a hundred bytes of arguments, as a model writes them, with a path /docs/notes/today.md and so on"}`,
		"write": `{"path":"/docs/notes/today.md","text":"a hundred bytes of arguments, as a model writes them, and so on"}`,
	} {
		b.Run(tool, func(b *testing.B) {
			h := newFixture(b, guard.Network{})
			h.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome {
				return sandbox.Outcome{Output: []byte(`{"content":[{"type":"text","text":"sum 4321, entry 17: a text of some length, as answers have"}]}`)}
			})
			h.install("t", manifest())
			req := host.Request{Tool: "t_" + tool, Arguments: json.RawMessage(arguments)}
			call := func() {
				if a, err := h.host.CallTool(b.Context(), me, req); err != nil || a.Status != host.StatusOK {
					b.Fatalf("%+v, %v", a, err)
				}
			}
			call()
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}
