package approval

import (
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/servlets/builtin"
)

// Drafted is a servlet that was never sealed, for what no build of Writ accepts yet and for texts that
// no manifest may have.
type Drafted struct {
	Manifest capabilities.Manifest
	Tools    []capabilities.Tool
	Kinds    []capabilities.Kind
	Since    time.Time         // when its key was seen first; zero: never
	Paths    map[string]string // fs id -> path to show for what was resolved
}

func (d Drafted) subject() subject {
	key, err := capabilities.ParsePublisher(d.Manifest.Publisher)
	if err != nil {
		panic(err)
	}
	zero := "0000000000000000000000000000000000000000000000000000000000000000"
	return subject{manifest: d.Manifest, tools: d.Tools, kinds: d.Kinds, keyID: capabilities.KeyID(key), digest: zero, file: zero}
}

// Propose plans d as Propose does, but for what a home knows.
func (d Drafted) Propose(choice Choice) (Plan, error) {
	s := d.subject()
	r, err := resolve(s, choice, placed("", ""))
	if err != nil {
		return Plan{}, err
	}
	for id, path := range d.Paths {
		if right, ok := r.rights.FS[id]; ok {
			right.Path = path
			r.rights.FS[id] = right
		}
	}
	st := standing{known: !d.Since.IsZero(), since: d.Since, development: s.manifest.Development()}
	alias := choice.As
	if alias == "" {
		alias = capabilities.AliasFor(s.manifest.Name)
	}
	return draft(s, st, alias, capabilities.DefaultSpace, r, nil, nil)
}

// Session opens a session on d.
func (d Drafted) Session(choice Choice, cfg SessionConfig) (*Session, Turn, error) {
	return newSession(d.subject(), choice, cfg)
}

// Sensitive says why a directory needs the word DANGER, for a person whose home is user.
func Sensitive(user, path string) string { return placed(user, "").sensitive(path) }

// Steers flags the texts of tools.
var Steers = steers

// Nearly says that two names are nearly the same.
var Nearly = nearly

// Ship puts a set in the place of the one in this binary and returns what puts it back.
func Ship(set *builtin.Set) (restore func()) {
	before := shipped
	shipped = func() (*builtin.Set, error) { return set, nil }
	return func() { shipped = before }
}
