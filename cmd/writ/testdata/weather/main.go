// Weather is a servlet of the command's tests: http capabilities, with and
// without a secret, and one configuration key.
package main

import (
	"context"
	"errors"
	"net/url"

	servlet "github.com/writ-run/writ/sdk/go"
)

type place struct {
	City string `json:"city" description:"Name of the city"`
}

type nothing struct{}

func init() {
	servlet.AddTool(servlet.Tool{Name: "forecast", Description: "Tells tomorrow's weather", ReadOnly: true}, forecast)
	servlet.AddTool(servlet.Tool{Name: "units", Description: "Tells the units that forecasts use", ReadOnly: true, ClosedWorld: true}, units)
	servlet.AddTool(servlet.Tool{Name: "account", Description: "Tells what the account may do", ReadOnly: true}, account)
	servlet.AddTool(servlet.Tool{Name: "mine", Description: "Asks a station of one's own", ReadOnly: true}, mine)
	servlet.AddTool(servlet.Tool{Name: "crash", Description: "Fails in the way that the argument names", ReadOnly: true, ClosedWorld: true}, crash)
}

func forecast(ctx context.Context, in place) (string, error) {
	units, _ := servlet.Config("UNITS")
	answer, err := servlet.Fetch(ctx, servlet.Request{Capability: "api", Path: "/v1/forecast",
		Query: url.Values{"city": {in.City}, "units": {units}}.Encode()})
	if err != nil {
		return "", err
	}
	return string(answer.Body), nil
}

func units(context.Context, nothing) (string, error) {
	value, ok := servlet.Config("UNITS")
	if !ok {
		return "", errors.New("the key UNITS is not set")
	}
	return value, nil
}

// account asks with a header that the caller chooses, to see what comes of it.
func account(ctx context.Context, in header) (string, error) {
	req := servlet.Request{Capability: "account", Path: "/v1/me"}
	if in.Name != "" {
		req.Header = servlet.Header{in.Name: {in.Value}}
	}
	answer, err := servlet.Fetch(ctx, req)
	if err != nil {
		return "", err
	}
	return string(answer.Body), nil
}

func mine(ctx context.Context, _ nothing) (string, error) {
	answer, err := servlet.Fetch(ctx, servlet.Request{Capability: "mine", Path: "/v1/now"})
	if err != nil {
		return "", err
	}
	return string(answer.Body), nil
}

type header struct {
	Name  string `json:"name,omitempty" description:"Header field to add"`
	Value string `json:"value,omitempty" description:"Its value"`
}

type way struct {
	How string `json:"how" enum:"error,panic,spin"`
}

func crash(_ context.Context, in way) (string, error) {
	switch in.How {
	case "error":
		return "", errors.New("this is an \x1b[31merror\x1b[0m of the tool")
	case "panic":
		panic("this is a panic of the tool")
	}
	for n := 0; ; n++ {
		if n < 0 {
			return "never", nil
		}
	}
}

func main() {}
