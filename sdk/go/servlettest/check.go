package servlettest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"unicode/utf8"
)

// schema has the keywords that package servlet writes. Others of a hand-written schema are for Writ alone.
type schema struct {
	Type                 any               `json:"type"`
	Enum                 []json.RawMessage `json:"enum"`
	Properties           map[string]schema `json:"properties"`
	Required             []string          `json:"required"`
	AdditionalProperties json.RawMessage   `json:"additionalProperties"`
	Items                *schema           `json:"items"`
	Minimum              *float64          `json:"minimum"`
	Maximum              *float64          `json:"maximum"`
	MinLength            *int              `json:"minLength"`
	MaxLength            *int              `json:"maxLength"`
	MinItems             *int              `json:"minItems"`
	MaxItems             *int              `json:"maxItems"`
	Pattern              string            `json:"pattern"`
}

// root is the place of the whole arguments. There a name that the schema does not mention is refused
// unless the schema allows it; deeper down JSON Schema's own rule holds.
const root = "arguments"

// check refuses arguments that Writ would refuse, so that a test does not pass on a call that can never
// happen.
func check(rawSchema, instance json.RawMessage) error {
	var s schema
	if err := json.Unmarshal(rawSchema, &s); err != nil {
		return nil // a form of schema that only Writ reads
	}
	d := json.NewDecoder(bytes.NewReader(instance))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return fmt.Errorf("%s: %w", root, err)
	}
	return s.check(value, root)
}

func (s schema) check(value any, at string) error {
	if name, ok := s.Type.(string); ok && !fits(value, name) {
		return fmt.Errorf("%s: expected %s", at, name)
	}
	if len(s.Enum) > 0 && !s.listed(value) {
		return fmt.Errorf("%s: expected one of %s", at, bytes.Join(rawBytes(s.Enum), []byte(", ")))
	}
	switch v := value.(type) {
	case json.Number:
		n, _ := v.Float64()
		if s.Minimum != nil && n < *s.Minimum || s.Maximum != nil && n > *s.Maximum {
			return fmt.Errorf("%s: %s is out of range", at, v)
		}
	case string:
		return s.checkText(v, at)
	case []any:
		if outside(len(v), s.MinItems, s.MaxItems) {
			return fmt.Errorf("%s: a list of %d items is too short or too long", at, len(v))
		}
		for i, one := range v {
			if s.Items == nil {
				break
			}
			if err := s.Items.check(one, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case map[string]any:
		return s.checkObject(v, at)
	}
	return nil
}

func (s schema) checkText(text, at string) error {
	if outside(utf8.RuneCountInString(text), s.MinLength, s.MaxLength) {
		return fmt.Errorf("%s: the text is too short or too long", at)
	}
	if s.Pattern != "" {
		if ok, err := regexp.MatchString(s.Pattern, text); err == nil && !ok {
			return fmt.Errorf("%s: the text does not match %s", at, s.Pattern)
		}
	}
	return nil
}

func (s schema) checkObject(object map[string]any, at string) error {
	for _, name := range s.Required {
		if _, ok := object[name]; !ok {
			return fmt.Errorf("%s.%s: missing", at, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		inner, known := s.Properties[name]
		switch {
		case known:
		case len(s.AdditionalProperties) > 0 && s.AdditionalProperties[0] == '{':
			if err := json.Unmarshal(s.AdditionalProperties, &inner); err != nil {
				return nil
			}
		case string(s.AdditionalProperties) != "false" && at != root:
			continue
		case string(s.AdditionalProperties) == "true":
			continue
		default:
			return fmt.Errorf("%s.%s: there is no such argument", at, name)
		}
		if err := inner.check(object[name], at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func (s schema) listed(value any) bool {
	raw, err := json.Marshal(value)
	return err == nil && slices.ContainsFunc(s.Enum, func(one json.RawMessage) bool { return bytes.Equal(one, raw) })
}

func rawBytes(list []json.RawMessage) [][]byte {
	out := make([][]byte, len(list))
	for i, raw := range list {
		out[i] = raw
	}
	return out
}

func outside(n int, low, high *int) bool { return low != nil && n < *low || high != nil && n > *high }

func fits(value any, name string) bool {
	switch v := value.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	case json.Number:
		n, err := v.Float64()
		return name == "number" || name == "integer" && err == nil && n == math.Trunc(n)
	}
	return false
}
