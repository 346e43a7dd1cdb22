package capabilities

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// ParseManifest reads signed manifest bytes strictly (canonical form only) and validates them.
func ParseManifest(payload []byte) (Manifest, error) {
	m, err := decodeManifest(payload)
	if err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	m, _, err = m.validated()
	if err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

// decodeManifest accepts the one encoding that Encode writes, of a schema that this Writ knows.
func decodeManifest(payload []byte) (Manifest, error) {
	if len(payload) > maxManifest {
		return Manifest{}, fmt.Errorf("%d bytes: the most is %d", len(payload), maxManifest)
	}
	// The schema is read first: a later one may have fields that are unknown here, and "unknown
	// field" would not tell the reader what to do.
	var top map[string]json.RawMessage
	if err := strictjson.Decode(payload, &top); err != nil {
		return Manifest{}, err
	}
	var schema string
	if err := strictjson.Decode(top["schema"], &schema); err != nil {
		return Manifest{}, fmt.Errorf("schema: want %q", Schema)
	}
	if err := checkSchema(schema); err != nil {
		return Manifest{}, err
	}
	var m Manifest
	if err := strictjson.Decode(payload, &m); err != nil {
		return Manifest{}, err
	}
	canonical, err := m.Encode()
	if err != nil {
		return Manifest{}, err
	}
	if !bytes.Equal(canonical, payload) {
		return Manifest{}, fmt.Errorf("not in canonical form at offset %d: sign what \"writ build\" writes", differ(canonical, payload))
	}
	return m, nil
}

func checkSchema(schema string) error {
	switch {
	case schema == Schema:
		return nil
	case schemaForm.MatchString(schema):
		return fmt.Errorf("%w (schema %s)", ErrNewer, schema)
	}
	return fmt.Errorf("schema: want %q", Schema)
}

// differ returns the first offset at which a and b are not the same.
func differ(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// Encode returns the canonical bytes of m: fields in the order of the type, names of maps sorted,
// empty fields left out, no space, tool objects compact.
func (m Manifest) Encode() ([]byte, error) {
	out, err := strictjson.Encode(m)
	if err != nil {
		return nil, err
	}
	if len(out) > maxManifest {
		return nil, fmt.Errorf("%d bytes: the most is %d", len(out), maxManifest)
	}
	return out, nil
}

// Validate reports everything in m that would later panic, mislead or be refused, joined with
// errors.Join: each error is one line with the field's path. It stops at 32 lines and says how many
// were left out.
func (m Manifest) Validate() error {
	_, _, err := m.validated()
	return err
}

// Development says that m was signed by `writ build` for this machine: no seq, issued, expires.
func (m Manifest) Development() bool {
	return m.Seq == 0 && m.Issued == "" && m.Expires == ""
}

// EffectiveLimits returns l with DefaultLimits in place of zero fields.
func EffectiveLimits(l Limits) Limits {
	fill := func(v, otherwise int) int {
		if v == 0 {
			return otherwise
		}
		return v
	}
	d := DefaultLimits
	return Limits{
		MemoryMB:  fill(l.MemoryMB, d.MemoryMB),
		WallMS:    fill(l.WallMS, d.WallMS),
		HTTPCalls: fill(l.HTTPCalls, d.HTTPCalls),
		ResultKB:  fill(l.ResultKB, d.ResultKB),
	}
}

// toolNames returns the names of m's tools in order. A parsed manifest remembers them; of one that
// was built by hand, tools that cannot be read are left out.
func (m Manifest) toolNames() []string {
	if m.names != nil {
		return m.names
	}
	var names []string
	for _, raw := range m.Tools {
		if t, err := ParseTool(raw); err == nil {
			names = append(names, t.Name)
		}
	}
	return names
}

// report collects problems, each one line with the path of the field.
type report struct {
	errs    []error
	dropped int
}

const maxProblems = 32

func (r *report) add(path, format string, args ...any) {
	if len(r.errs) == maxProblems {
		r.dropped++
		return
	}
	if runes := []rune(path); len(runes) > 160 {
		path = string(runes[:80]) + "…" + string(runes[len(runes)-60:])
	}
	r.errs = append(r.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func (r *report) err() error {
	if r.dropped > 0 {
		return errors.Join(append(r.errs, fmt.Errorf("and %d more problems", r.dropped))...)
	}
	return errors.Join(r.errs...)
}
