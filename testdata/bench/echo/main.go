// Echo is the guest of the benchmarks: it decodes its arguments and answers one of them.
package main

import (
	"context"

	servlet "github.com/writ-run/writ/sdk/go"
)

type input struct {
	Text string `json:"text" description:"What to answer"`
}

func init() {
	servlet.AddTool(servlet.Tool{Name: "echo", Description: "Answers the text", ReadOnly: true, ClosedWorld: true},
		func(_ context.Context, in input) (string, error) { return in.Text, nil })
}

func main() {}
