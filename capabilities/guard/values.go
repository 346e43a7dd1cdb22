package guard

import (
	"context"
	"slices"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// Config answers the value of a declared key. A key that was not declared gets the very answer of a
// key that is not set: otherwise a guest could probe which keys other servlets use.
func (g *Guard) Config(ctx context.Context, key string) (string, *effect.Error) {
	declared := slices.Contains(g.policy.Rights.Config, key)
	value, set := g.policy.Values[key]
	refusal := ""
	if !declared {
		refusal = "key is not declared"
	}
	switch err := g.decide(ctx, capabilities.KindConfig, "get", key, refusal); {
	case err == errUnrecorded:
		return "", &effect.Error{Code: effect.Internal, Text: "the host could not record the request"}
	case err == errTooMany:
		return "", &effect.Error{Code: effect.Limit, Text: "too many requests in one call"}
	case err != nil || !set:
		return "", &effect.Error{Code: effect.NotFound, Text: "this configuration key is not set"}
	}
	return value, nil
}
