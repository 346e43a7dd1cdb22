package hostile

import (
	"encoding/json"
	"maps"
	"slices"
)

// Shrink looks for a smaller input that fails too, in at most tries calls of fails.
func Shrink(arguments []byte, tries int, fails func([]byte) bool) []byte {
	object, ok := decode(arguments).(map[string]any)
	if !ok {
		return arguments
	}
	try := func(candidate map[string]any) bool {
		if tries <= 0 {
			return false
		}
		tries--
		if !fails(encode(candidate)) {
			return false
		}
		object = candidate
		return true
	}
	for again := true; again && tries > 0; {
		again = false
		for _, name := range slices.Sorted(maps.Keys(object)) {
			without := maps.Clone(object)
			delete(without, name)
			if try(without) {
				again = true
				continue
			}
			for _, smaller := range smallerThan(object[name]) {
				changed := maps.Clone(object)
				changed[name] = smaller
				if try(changed) {
					again = true
					break
				}
			}
		}
	}
	return encode(object)
}

// smallerThan are simpler values, the simplest first.
func smallerThan(v any) (out []any) {
	switch v := v.(type) {
	case string:
		text := []rune(v)
		for _, n := range []int{0, 1, len(text) / 2, len(text) - 1} {
			if n >= 0 && n < len(text) {
				out = append(out, string(text[:n]))
			}
		}
		if len(text) > 1 {
			out = append(out, string(text[len(text)/2:]), string(text[1:]))
		}
	case []any:
		for _, n := range []int{0, 1, len(v) / 2} {
			if n < len(v) {
				out = append(out, v[:n])
			}
		}
	case json.Number:
		if v != "0" {
			out = append(out, json.Number("0"))
		}
		if v != "0" && v != "1" {
			out = append(out, json.Number("1"))
		}
	case bool:
		if v {
			out = append(out, false)
		}
	}
	return out
}
