package toolchain

import (
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

// However many names come to one id, each of them gets another that a manifest takes.
func TestIDsDiffer(t *testing.T) {
	for _, end := range []string{"b.test", strings.Repeat("b", 40) + ".test"} {
		g := gathered{http: map[string]*httpNeed{}}
		for n := range 120 {
			origin := "https://a" + strings.Repeat("-", n+1) + end
			id := g.idFor(capabilities.Manifest{}, origin)
			if g.http[id] != nil || !idName.MatchString(id) {
				t.Fatalf("%s: %q is taken, or no id", origin, id)
			}
			g.http[id] = &httpNeed{origin: origin}
			if again := g.idFor(capabilities.Manifest{}, origin); again != id {
				t.Errorf("%s is %q, and then %q", origin, id, again)
			}
		}
	}
}
