package capabilities

import (
	"fmt"
	"slices"
)

// Effective returns the policy of one call of one tool: requested ∩ granted ∩ uses[tool]. It refuses
// with ErrNotGranted when the tool itself was not granted (or nothing was, as in the zero Grant), with
// ErrGrantMismatch when g was given to another servlet, publisher or manifest, and with ErrUnknownTool
// when m has no such tool. values are the config values that the operator set.
func Effective(m Manifest, manifestDigest string, g Grant, caller Caller, alias, tool string, values map[string]string) (Policy, error) {
	if err := bound(m, manifestDigest, g); err != nil {
		return Policy{}, err
	}
	if !slices.Contains(m.toolNames(), tool) {
		return Policy{}, fmt.Errorf("%w: %s has no tool %s", ErrUnknownTool, m.Name, quoted(tool, 64))
	}
	if caller.Principal == "" || caller.Space == "" {
		return Policy{}, fmt.Errorf("%w: the call names no caller", ErrNotGranted)
	}
	if !slices.Contains(g.Rights.Tools, tool) {
		return Policy{}, fmt.Errorf("%w: tool %s of %s", ErrNotGranted, tool, m.Name)
	}
	ceiling := Ceiling(m)
	rights := meet(ceiling.used(m, tool), g.Rights)
	// The intersection is checked against both sides again, by the comparison that approval used: a
	// mistake in either function alone cannot widen a call.
	if err := Subset(rights, g.Rights); err != nil {
		return Policy{}, fmt.Errorf("%w: rights above the grant: %w", ErrNotGranted, err)
	}
	if err := Subset(rights, ceiling); err != nil {
		return Policy{}, fmt.Errorf("%w: rights above the manifest: %w", ErrNotGranted, err)
	}
	return Policy{
		Caller:   Caller{Principal: caller.Principal, Space: caller.Space, Roles: slices.Clone(caller.Roles)},
		Servlet:  m.Name,
		Alias:    alias,
		Tool:     tool,
		Rights:   rights,
		Preopens: preopens(m, rights),
		Values:   configured(m, rights, values),
		Limits:   EffectiveLimits(m.Limits),
	}, nil
}

// bound checks that g was given to exactly this manifest of this publisher.
func bound(m Manifest, manifestDigest string, g Grant) error {
	if g.Servlet == "" && g.Publisher == "" && g.Manifest == "" {
		return fmt.Errorf("%w: nothing was granted to %s", ErrNotGranted, m.Name)
	}
	key, err := ParsePublisher(m.Publisher)
	switch {
	case err != nil:
		return fmt.Errorf("%w: the manifest names no publisher", ErrGrantMismatch)
	case g.Servlet != m.Name:
		return fmt.Errorf("%w: given to %s, not to %q", ErrGrantMismatch, quoted(g.Servlet, 128), m.Name)
	case g.Publisher != KeyID(key):
		return fmt.Errorf("%w: given to key %s, not to %s", ErrGrantMismatch, Fingerprint(g.Publisher), Fingerprint(KeyID(key)))
	case g.Manifest != manifestDigest || !isDigest(manifestDigest):
		return fmt.Errorf("%w: the manifest of %s is not the one that was approved", ErrGrantMismatch, m.Name)
	}
	return nil
}

// preopens lists every directory of m in order, whatever was granted: a guest counts them once, when
// it starts, and a number must mean the same directory for every operator.
func preopens(m Manifest, rights Rights) []FSRight {
	var all []FSRight
	for _, f := range m.Capabilities.FS {
		right, ok := rights.FS[f.ID]
		if !ok {
			right = FSRight{Guest: f.Guest}
		}
		all = append(all, right)
	}
	return all
}

// configured picks the values of the keys that the call may read. A key that is neither set nor has a
// default is absent.
func configured(m Manifest, rights Rights, values map[string]string) map[string]string {
	out := make(map[string]string, len(rights.Config))
	for _, c := range m.Capabilities.Config {
		if !slices.Contains(rights.Config, c.Key) {
			continue
		}
		if v, ok := values[c.Key]; ok {
			out[c.Key] = v
		} else if c.Default != "" {
			out[c.Key] = c.Default
		}
	}
	return out
}
