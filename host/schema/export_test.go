package schema

import "github.com/writ-run/writ/capabilities/strictjson"

// Bounds shows what the counted cost left for an instance.
func (s *Schema) Bounds() (values, bytes int) { return s.limits.values, s.limits.bytes }

// Both shows what the quick look and the library say of an instance that can be read.
func (s *Schema) Both(instance []byte) (quick bool, slow error) {
	compact, err := strictjson.Compact(instance)
	if err != nil {
		return false, err
	}
	value, err := decode(compact)
	if err != nil {
		return false, err
	}
	return s.form.fits(value), s.compiled.Validate(value)
}

// Decode shows how a compact instance is read.
var Decode = decode
