package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/registry"
)

// secrets hands a guard the secrets of one installation, as they are when it asks.
type secrets struct {
	store store
	by    capabilities.Caller
	in    registry.Installation
}

var _ guard.Secrets = secrets{}

// Secret implements guard.Secrets.
func (s secrets) Secret(ctx context.Context, key string) (capabilities.SecretValue, error) {
	return s.store.Secret(ctx, s.by, s.in, key)
}

// opens refuses a call whose tool needs a secret that cannot be had, before anything runs: the guest
// could say no more of it than that its request was refused.
func (c *call) opens(ctx context.Context) error {
	for _, key := range attached(c.policy.Rights) {
		_, err := c.host.store.Secret(ctx, c.by, c.in, key)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if p := unopened(c.in, key, err); p != nil {
			c.host.log.Warn("secret cannot be used", "call", c.id, "alias", c.alias, "name", key, "error", err)
			return p.refuse(c.req.Tool)
		}
	}
	return nil
}

// attached are the keys of the secrets that the host attaches under rights, sorted.
func attached(rights capabilities.Rights) []string {
	var keys []string
	for _, h := range rights.HTTP {
		keys = append(keys, h.Auth.Keys()...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// unsetSecret finds the first secret that rights need and nobody has set. It is nil when there is none.
func unsetSecret(in registry.Installation, rights capabilities.Rights, set []registry.Secret) *problem {
	for _, key := range attached(rights) {
		if !slices.ContainsFunc(set, func(s registry.Secret) bool { return s.Key == key }) {
			return unopened(in, key, registry.ErrNotFound)
		}
	}
	return nil
}

// unopened explains why a secret cannot be had. It is nil without an error.
func unopened(in registry.Installation, key string, err error) *problem {
	set := command(in, "secret set %s %s", in.Alias, key)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, registry.ErrNotFound):
		return &problem{fmt.Sprintf("its secret %s is not set", key), set, "secret unset: " + key}
	case errors.Is(err, registry.ErrSecretsLocked):
		return &problem{"the secrets of this Writ are locked, as their key is not at hand", "writ secret key status", "secrets locked"}
	case errors.Is(err, registry.ErrSecretDamaged):
		return &problem{fmt.Sprintf("its secret %s was changed outside of Writ", key), set, "secret damaged: " + key}
	}
	return &problem{fmt.Sprintf("its secret %s cannot be read", key), "writ doctor", "secret unreadable: " + key}
}
