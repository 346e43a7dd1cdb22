package schema

// Bounds shows what the counted cost left for an instance.
func (s *Schema) Bounds() (values, bytes int) { return s.limits.values, s.limits.bytes }
