package schema

import "fmt"

// Budgets of one check. A unit of evaluations is one schema looking at one value, about a
// microsecond of the library's time; a step is one instruction of a pattern at one byte.
const (
	maxEvaluations = 1_000_000
	maxSteps       = 100_000_000
	// A schema that leaves room for less than these in an instance is refused instead.
	minValues = 1000
	minBytes  = 32 << 10
	// maxCounting bounds the counting itself.
	maxCounting = 500_000
)

// cost is the worst that can happen to one value of an instance.
type cost struct {
	evaluations float64
	steps       float64 // for each byte
	scope       float64 // longest chain of schemas above an evaluation
}

func (c *cost) add(o cost, times float64) {
	c.evaluations += o.evaluations * times
	c.steps += o.steps * times
	c.scope = max(c.scope, o.scope)
}

func (c *cost) atLeast(o cost) {
	c.evaluations = max(c.evaluations, o.evaluations)
	c.steps = max(c.steps, o.steps)
	c.scope = max(c.scope, o.scope)
}

// bound counts the worst case of a schema and derives what its instances may have: the product of
// values and cost for each value, and of bytes and steps for each byte, stays within the budgets.
func (t *tree) bound(p profile) (limits, error) {
	c := counter{memo: map[visit]cost{}, closures: map[*node]*closure{}}
	var worst cost
	for depth := range p.depth {
		level, err := c.at(t.root, depth)
		if err != nil {
			return limits{}, err
		}
		worst.atLeast(level)
	}
	// Each evaluation searches the chain above it, and an error writes it down.
	perValue := worst.evaluations * (1 + worst.scope*worst.scope/512)
	values := int(min(maxEvaluations/max(perValue, 1), MaxValues))
	if values < minValues {
		return limits{}, tooMany(perValue)
	}
	size := min(max(p.bytes, 4*t.longest), MaxInstance)
	size = int(min(float64(size), maxSteps/max(worst.steps, 1)))
	if size < minBytes {
		return limits{}, fmt.Errorf("%w: up to %.0f pattern steps for each byte, at most %d are allowed; use fewer or simpler patterns",
			ErrTooDear, worst.steps, maxSteps/minBytes)
	}
	return limits{bytes: size, depth: p.depth, items: max(p.items, t.arrays), values: values, input: p.input}, nil
}

func tooMany(evaluations float64) error {
	return fmt.Errorf("%w: up to %.0f evaluations for each value, at most %d are allowed; nest fewer anyOf, oneOf, allOf and $ref, or shorten enums",
		ErrTooDear, evaluations, maxEvaluations/minValues)
}

// visit asks what a schema that is applied to a value costs a value so many levels below it.
type visit struct {
	schema *node
	below  int
}

type counter struct {
	memo     map[visit]cost
	closures map[*node]*closure
	work     int
}

// closure is every schema that one schema applies to the same value, with how often it does:
// references are expanded, so a chain of ten doubling references counts 1024 times.
type closure struct {
	order []*node
	times map[*node]float64
	chain float64 // longest chain
	open  bool    // being made: meeting it again is a loop
}

func (c *counter) spend(n int) error {
	if c.work += n; c.work > maxCounting {
		return fmt.Errorf("%w: its references and combinations are too many to count", ErrTooDear)
	}
	return nil
}

func (c *counter) closure(n *node) (*closure, error) {
	if done := c.closures[n]; done != nil {
		if done.open {
			return nil, refuse(n.at, "it refers to itself without going deeper into the value")
		}
		return done, nil
	}
	made := &closure{order: []*node{n}, times: map[*node]float64{n: 1}, open: true}
	c.closures[n] = made
	for _, sub := range n.inPlace() {
		inner, err := c.closure(sub)
		if err != nil {
			return nil, err
		}
		if err := c.spend(len(inner.order)); err != nil {
			return nil, err
		}
		for _, x := range inner.order {
			if made.times[x] == 0 {
				made.order = append(made.order, x)
			}
			made.times[x] += inner.times[x]
			if made.times[x] > maxEvaluations/minValues {
				return nil, tooMany(made.times[x])
			}
		}
		made.chain = max(made.chain, inner.chain)
	}
	made.chain++
	made.open = false
	return made, nil
}

// inPlace lists the schemas that n applies to the value that it looks at itself.
func (n *node) inPlace() []*node {
	var out []*node
	for _, x := range []*node{n.ref, n.not, n.cond, n.then, n.els} {
		if x != nil {
			out = append(out, x)
		}
	}
	out = append(append(append(out, n.allOf...), n.anyOf...), n.oneOf...)
	for _, x := range n.dependentSchemas {
		out = append(out, x)
	}
	return out
}

// at is the worst cost that schema n, applied to some value, makes for any one value so many levels
// below it.
func (c *counter) at(n *node, below int) (cost, error) {
	key := visit{n, below}
	if done, ok := c.memo[key]; ok {
		return done, nil
	}
	all, err := c.closure(n)
	if err != nil {
		return cost{}, err
	}
	if err := c.spend(1 + len(all.order)); err != nil {
		return cost{}, err
	}
	var sum cost
	if below == 0 {
		for _, x := range all.order {
			sum.evaluations += x.weight * all.times[x]
			sum.steps += x.steps * all.times[x]
		}
	} else {
		members, err := c.members(all, below-1)
		if err != nil {
			return cost{}, err
		}
		elements, err := c.elements(all, below-1)
		if err != nil {
			return cost{}, err
		}
		// The value above is an object or an array, never both.
		sum = members
		sum.atLeast(elements)
	}
	if sum.evaluations > maxEvaluations/minValues {
		return cost{}, tooMany(sum.evaluations)
	}
	sum.scope += all.chain
	c.memo[key] = sum
	return sum, nil
}

// members is the worst for a member of an object: the dearest name, counting for each schema of the
// closure what it says of that name, or of names that it does not mention.
func (c *counter) members(all *closure, below int) (cost, error) {
	var every, unnamed cost
	named := map[string]cost{}
	for _, x := range all.order {
		times := all.times[x]
		if err := c.pile(&every, x, times, below); err != nil {
			return cost{}, err
		}
		var other cost
		if x.additional != nil {
			var err error
			if other, err = c.at(x.additional, below); err != nil {
				return cost{}, err
			}
			unnamed.add(other, times)
		}
		if err := c.spend(len(x.properties)); err != nil {
			return cost{}, err
		}
		for name, sub := range x.properties {
			said, err := c.at(sub, below)
			if err != nil {
				return cost{}, err
			}
			// The schema's additionalProperties does not see this name.
			total := named[name]
			total.add(said, times)
			total.evaluations -= other.evaluations * times
			total.steps -= other.steps * times
			named[name] = total
		}
	}
	worst := unnamed
	for _, said := range named {
		said.add(unnamed, 1)
		worst.atLeast(said)
	}
	worst.add(every, 1)
	return worst, nil
}

// pile adds what schema x does to every member of an object, whatever its name.
func (c *counter) pile(every *cost, x *node, times float64, below int) error {
	every.evaluations += float64(len(x.patterns)) / 4 * times
	every.steps += x.nameSteps * times
	for _, sub := range x.patterns {
		said, err := c.at(sub, below)
		if err != nil {
			return err
		}
		every.add(said, times)
	}
	if x.unevaluated != nil {
		said, err := c.at(x.unevaluated, below)
		if err != nil {
			return err
		}
		every.add(said, times)
	}
	if x.names != nil && below == 0 {
		said, err := c.at(x.names, 0)
		if err != nil {
			return err
		}
		every.add(said, times)
	}
	return nil
}

// uniqueCost is what uniqueItems adds for each value below the array: all are hashed, and in a short
// array each is compared with up to nineteen others.
const uniqueCost = 20

// elements is the worst for an element of an array.
func (c *counter) elements(all *closure, below int) (cost, error) {
	var every cost
	longest := 0
	for _, x := range all.order {
		longest = max(longest, len(x.prefix))
		if unique, _ := x.assert["uniqueItems"].(bool); unique {
			every.evaluations += uniqueCost * all.times[x]
		}
		for _, sub := range []*node{x.contains, x.unevaluatedItems} {
			if sub == nil {
				continue
			}
			said, err := c.at(sub, below)
			if err != nil {
				return cost{}, err
			}
			every.add(said, all.times[x])
		}
	}
	var worst cost
	for i := range longest + 1 {
		var here cost
		if err := c.spend(len(all.order)); err != nil {
			return cost{}, err
		}
		for _, x := range all.order {
			sub := x.items
			if i < len(x.prefix) {
				sub = x.prefix[i]
			}
			if sub == nil {
				continue
			}
			said, err := c.at(sub, below)
			if err != nil {
				return cost{}, err
			}
			here.add(said, all.times[x])
		}
		worst.atLeast(here)
	}
	worst.add(every, 1)
	return worst, nil
}
