package schema

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/writ-run/writ/capabilities"
)

// line makes text of the library fit for a line of ours.
func line(s string) string { return capabilities.Printable(s, 200) }

// explain turns the library's tree of reasons into one line. The library walks maps in random order,
// so the reason is chosen by rule: what fails highest in the value, then first by place.
func (s *Schema) explain(err error, value any) error {
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return fmt.Errorf("%s: cannot be checked against the schema", s.subject)
	}
	leaf := leaves(invalid)[0]
	at, found := s.subject, value
	for _, step := range pointer(leaf.InstanceLocation) {
		if list, ok := found.([]any); ok {
			i, _ := strconv.Atoi(step)
			if i < len(list) {
				found = list[i]
			}
			at += "[" + strconv.Itoa(i) + "]"
			continue
		}
		object, _ := found.(map[string]any)
		found = object[step]
		at = dotted(at, step)
	}
	_, where, _ := strings.Cut(leaf.AbsoluteKeywordLocation, "#")
	return fmt.Errorf("%s: %s", at, s.reason(pointer(where), leaf.Message, found))
}

// leaves returns the reasons that have no further reason, in a fixed order. A oneOf or anyOf of which
// no branch fits is a reason of its own, unless all but one branch fail at the value's very type.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	var out []*jsonschema.ValidationError
	var collect func(e *jsonschema.ValidationError)
	collect = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 {
			out = append(out, e)
			return
		}
		causes := e.Causes
		if word := keywordOf(e); word == "anyOf" || word == "oneOf" {
			if causes = closest(e); causes == nil {
				out = append(out, e)
				return
			}
		}
		for _, c := range causes {
			collect(c)
		}
	}
	collect(e)
	slices.SortStableFunc(out, func(a, b *jsonschema.ValidationError) int {
		return cmp.Or(
			cmp.Compare(strings.Count(a.InstanceLocation, "/"), strings.Count(b.InstanceLocation, "/")),
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(a.InstanceLocation, b.InstanceLocation),
			cmp.Compare(a.AbsoluteKeywordLocation, b.AbsoluteKeywordLocation),
		)
	})
	return out
}

// closest picks the one branch that is of the value's type, as a nullable object is written.
func closest(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	var fit []*jsonschema.ValidationError
	for _, branch := range e.Causes {
		deepest := branch
		for len(deepest.Causes) == 1 {
			deepest = deepest.Causes[0]
		}
		if len(deepest.Causes) > 0 || deepest.InstanceLocation != e.InstanceLocation || keywordOf(deepest) != "type" {
			fit = append(fit, branch)
		}
	}
	if len(fit) != 1 {
		return nil
	}
	return fit
}

// rank puts what a model mends first in front: a missing name explains more than a wrong value.
func rank(e *jsonschema.ValidationError) int {
	switch keywordOf(e) {
	case "type":
		return 0
	case "required":
		return 1
	case "additionalProperties", "unevaluatedProperties":
		return 2
	}
	return 3
}

func keywordOf(e *jsonschema.ValidationError) string {
	_, where, _ := strings.Cut(e.AbsoluteKeywordLocation, "#")
	steps := pointer(where)
	for i := len(steps) - 1; i >= 0; i-- {
		if _, err := strconv.Atoi(steps[i]); err != nil {
			return steps[i]
		}
	}
	return ""
}

func pointer(s string) []string {
	s = strings.TrimPrefix(s, "/")
	if s == "" {
		return nil
	}
	steps := strings.Split(s, "/")
	for i, step := range steps {
		if plain, err := url.PathUnescape(step); err == nil {
			step = plain
		}
		steps[i] = pointerUnescape.Replace(step)
	}
	return steps
}

// reason says what was expected. It is written from the schema and the value, because the library's
// own text quotes as much of the value as there is.
func (s *Schema) reason(where []string, text string, found any) string {
	if len(where) == 0 {
		return "not allowed here"
	}
	parent, keyword := s.lookup(where[:len(where)-1]), where[len(where)-1]
	object, _ := parent.(map[string]any)
	said := object[keyword]
	if text == "not allowed" { // a schema that is false
		if strings.HasSuffix(keyword, "Properties") {
			return "unknown name"
		}
		return "nothing is allowed here"
	}
	switch keyword {
	case "type":
		return fmt.Sprintf("must be %s, but is %s", kinds(said), articled(kindOf(found)))
	case "required":
		return "missing " + missing(said, found)
	case "additionalProperties", "unevaluatedProperties":
		return "unknown name " + unknown(object, found)
	case "enum":
		return "must be one of " + choices(said)
	case "const":
		return "must be " + choices([]any{said})
	case "anyOf", "oneOf":
		if strings.HasPrefix(text, "valid against") {
			return "fits more than one of the forms that exclude each other"
		}
		return fmt.Sprintf("fits none of the %d allowed forms", length(said))
	case "not":
		return "has the form that is not allowed here"
	case "pattern":
		pattern, _ := said.(string)
		return "does not match the pattern " + quote(pattern)
	case "uniqueItems":
		return "has the same item twice"
	case "minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength", "minContains", "maxContains",
		"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		return fmt.Sprintf("%s %s", bounds[keyword], quoteNumber(said))
	}
	return "is not allowed here"
}

var bounds = map[string]string{
	"minItems": "must have at least this many items:", "maxItems": "must have at most this many items:",
	"minProperties": "must have at least this many names:", "maxProperties": "must have at most this many names:",
	"minLength": "must have at least this many characters:", "maxLength": "must have at most this many characters:",
	"minContains": "must have at least this many matching items:", "maxContains": "must have at most this many matching items:",
	"minimum": "must be at least", "maximum": "must be at most",
	"exclusiveMinimum": "must be above", "exclusiveMaximum": "must be below", "multipleOf": "must be a multiple of",
}

func quoteNumber(v any) string {
	if n, ok := v.(json.Number); ok {
		return string(n)
	}
	return "1" // minContains, when the schema does not say it
}

func (s *Schema) lookup(steps []string) any {
	at := s.document
	for _, step := range steps {
		switch x := at.(type) {
		case map[string]any:
			at = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(x) {
				return nil
			}
			at = x[i]
		default:
			return nil
		}
	}
	return at
}

func length(v any) int {
	list, _ := v.([]any)
	return len(list)
}

func kinds(said any) string {
	if one, ok := said.(string); ok {
		return articled(one)
	}
	var names []string
	list, _ := said.([]any)
	for _, x := range list {
		name, _ := x.(string)
		names = append(names, articled(name))
	}
	return strings.Join(names, " or ")
}

// articled puts an article before the name of a JSON type.
func articled(kind string) string {
	switch kind {
	case "null", "":
		return kind
	case "object", "array", "integer":
		return "an " + kind
	}
	return "a " + kind
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

func missing(said, found any) string {
	object, _ := found.(map[string]any)
	names, _ := said.([]any)
	for _, x := range names {
		if name, _ := x.(string); name != "" {
			if _, there := object[name]; !there {
				return quote(name)
			}
		}
	}
	return "a name"
}

// unknown names the first member that the schema object itself does not mention, and what it does.
func unknown(schema map[string]any, found any) string {
	object, _ := found.(map[string]any)
	known, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, ok := known[name]; !ok {
			text := quote(name)
			if len(known) > 0 {
				var names []any
				for _, k := range slices.Sorted(maps.Keys(known)) {
					names = append(names, k)
				}
				text += "; known are " + choices(names)
			}
			return text
		}
	}
	return "in it"
}

// choices lists values of a schema, as many as fit on a line.
func choices(said any) string {
	list, _ := said.([]any)
	var b strings.Builder
	for i, v := range list {
		text, err := json.Marshal(v)
		if err != nil {
			continue
		}
		if i > 0 {
			b.WriteString(", ")
		}
		if i > 0 && b.Len()+len(text) > 200 {
			fmt.Fprintf(&b, "… (%d in all)", len(list))
			break
		}
		b.WriteString(capabilities.Printable(string(text), 100))
	}
	return b.String()
}
