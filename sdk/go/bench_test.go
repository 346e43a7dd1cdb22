package servlet

import (
	"context"
	"testing"
)

// BenchmarkCall is a small call without the sandbox around it. In a guest it takes several times as long.
func BenchmarkCall(b *testing.B) {
	saved := registered
	defer func() { registered = saved }()
	registered = nil
	AddTool(Tool{Name: "text"}, func(_ context.Context, in plain) (string, error) { return in.Text, nil })
	AddTool(Tool{Name: "struct"}, func(_ context.Context, in plain) (map[string]any, error) {
		return map[string]any{"text": in.Text, "nums": in.Nums}, nil
	})
	const arguments = `{"text":"0123456789","nums":[100,200,300,400,500],"on":true}`
	for _, e := range registered {
		for name, in := range map[string]string{
			"ordinary": string(e.start) + arguments + atEnd,
			"spaced":   ` ` + string(e.start) + arguments + atEnd, // what encoding/json reads
		} {
			b.Run(e.tool.Name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := call(b.Context(), []byte(in)); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
