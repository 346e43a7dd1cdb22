package host

import (
	"slices"
	"sync"

	"github.com/writ-run/writ/capabilities"
)

// maxPolicies bounds the policies that are kept.
const maxPolicies = 4096

// policies keeps what calls were allowed under one generation of the registry. A policy is made of what was
// signed, granted and configured: as long as none of that changes, the next call of the same caller is allowed
// the same. Calls share a policy, which nobody changes after it was made.
type policies struct {
	mu         sync.Mutex
	generation uint64                        // guarded by mu
	kept       map[asked]capabilities.Policy // guarded by mu; of that generation
}

// asked is what calls have in common that are allowed the same.
type asked struct{ space, principal, alias, tool string }

// get returns the policy that a caller had under a generation.
func (p *policies) get(generation uint64, a asked, roles []string) (capabilities.Policy, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	policy, ok := p.kept[a]
	return policy, ok && p.generation == generation && slices.Equal(policy.Caller.Roles, roles)
}

// keep keeps a policy of a settled generation.
func (p *policies) keep(generation uint64, a asked, policy capabilities.Policy) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.generation != generation || p.kept == nil || len(p.kept) >= maxPolicies {
		p.generation, p.kept = generation, map[asked]capabilities.Policy{}
	}
	p.kept[a] = policy
}

// effective is the call's policy.
func (c *call) effective(s *servlet) (capabilities.Policy, error) {
	a := asked{c.by.Space, c.by.Principal, c.alias, c.tool}
	if policy, ok := c.host.policies.get(c.generation, a, c.by.Roles); ok {
		return policy, nil
	}
	policy, err := capabilities.Effective(s.manifest, s.digest, c.in.Grant, c.by, c.alias, c.tool, c.values)
	if err != nil {
		return policy, err
	}
	policy.Preopens = slices.Clip(policy.Preopens) // who adds one makes a list of its own
	if c.generation%2 == 0 {                       // nothing was about to change
		c.host.policies.keep(c.generation, a, policy)
	}
	return policy, nil
}
