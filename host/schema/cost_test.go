package schema_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/host/schema"
)

// doubling makes a chain of n definitions of which each applies the next one twice.
func doubling(n int, apply string) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		ref := fmt.Sprintf(`{"$ref":"#/$defs/d%d"}`, i+1)
		fmt.Fprintf(&b, `"d%d":%s,`, i, strings.ReplaceAll(apply, "X", ref))
	}
	fmt.Fprintf(&b, `"d%d":{"type":"string"}}}`, n)
	return b.String()
}

func nest(n int, open, inner, shut string) string {
	return strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
}

// Each of these costs a validator without a budget seconds to centuries for a small value.
func TestBombsAreRefusedBeforeUse(t *testing.T) {
	for name, bomb := range map[string]string{
		"anyOf doubles":                    doubling(20, `{"anyOf":[X,X]}`),
		"oneOf doubles":                    doubling(20, `{"oneOf":[X,X]}`),
		"allOf doubles":                    doubling(20, `{"allOf":[X,X]}`),
		"anyOf doubles without end":        doubling(300, `{"anyOf":[X,X,X]}`),
		"not doubles":                      doubling(20, `{"allOf":[X,{"not":X}]}`),
		"if doubles":                       doubling(20, `{"if":X,"then":X,"else":X}`),
		"dependentSchemas double":          doubling(20, `{"dependentSchemas":{"x":X,"y":X}}`),
		"properties double in anyOf":       doubling(20, `{"anyOf":[{"properties":{"x":X}},{"properties":{"x":X}}]}`),
		"items double in allOf":            doubling(20, `{"allOf":[{"items":X},{"items":X}]}`),
		"patternProperties double":         doubling(20, `{"patternProperties":{"a":X,"b":X}}`),
		"properties and patternProperties": doubling(20, `{"properties":{"x":X},"patternProperties":{"x":X}}`),
		"prefixItems and contains":         doubling(20, `{"prefixItems":[X],"contains":X}`),
		"unevaluatedItems and items":       doubling(20, `{"items":X,"unevaluatedItems":X}`),
		"additional in anyOf":              doubling(20, `{"anyOf":[{"additionalProperties":X},{"additionalProperties":X}]}`),
		"recursion that doubles":           `{"$defs":{"n":{"anyOf":[{"properties":{"x":{"$ref":"#/$defs/n"}}},{"properties":{"x":{"$ref":"#/$defs/n"}}}]}},"$ref":"#/$defs/n"}`,
		"recursion through the root":       `{"anyOf":[{"items":{"$ref":"#"}},{"items":{"$ref":"#"}}]}`,
		"recursion by additional":          `{"allOf":[{"additionalProperties":{"$ref":"#"}},{"additionalProperties":{"$ref":"#"}},{"items":{"$ref":"#"}}]}`,
		"recursion with prefixItems":       `{"anyOf":[{"prefixItems":[{"$ref":"#"}]},{"items":{"$ref":"#"}}]}`,
		"a loop":                           `{"allOf":[{"$ref":"#"}]}`,
		"a loop of two":                    `{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"allOf":[{"$ref":"#/$defs/a"}]}}}`,
		"deeper than JSON may be":          nest(10_000, `{"not":`, `{}`, `}`),
		"very many subschemas":             `{"anyOf":[` + strings.TrimSuffix(strings.Repeat(`{},`, 2000), ",") + `]}`,
		"a wide anyOf of wide anyOfs":      doubling(3, `{"anyOf":[`+strings.TrimSuffix(strings.Repeat("X,", 40), ",")+`]}`),
		"an enum of many values":           `{"enum":["` + strings.Repeat(`a","`, 1001) + `"]}`,
		"an enum that is copied per error": `{"items":{"enum":["` + strings.Repeat("x", 30_000) + `"]}}`,
		"a pattern that counts":            `{"pattern":"((a{1,30}){1,30}b){30}"}`,
		"a pattern that looks back":        `{"pattern":"^(a+)+\\1$"}`,
		"many patterns for each name":      `{"patternProperties":{` + manyPatterns(60) + `}}`,
		"a chain of references":            chain(900),
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() {
				_, err := schema.Compile([]byte(bomb))
				done <- err
			}()
			select {
			case err := <-done:
				if !errors.Is(err, schema.ErrTooDear) && !errors.Is(err, schema.ErrSchema) {
					t.Fatalf("accepted: %v", err)
				}
				if strings.Contains(err.Error(), "\n") || len(err.Error()) > 400 {
					t.Errorf("not one clear line: %q", err)
				}
			case <-time.After(20 * time.Second): // generous: it stands for "never"
				t.Fatal("still counting")
			}
		})
	}
}

func manyPatterns(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(`"x{%d}[a-z]{100}":{}`, i+1))
	}
	return strings.Join(parts, ",")
}

func chain(n int) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"$ref":"#/$defs/d%d"},`, i, i+1)
	}
	fmt.Fprintf(&b, `"d%d":{}}}`, n)
	return b.String()
}

// The control: each doubling leaves half as many values, so it is the counted cost that refuses the
// bombs above, and not their size or some other limit.
func TestCostMultiplies(t *testing.T) {
	last := schema.MaxValues
	for n := 3; n <= 6; n++ {
		s, err := schema.Compile([]byte(doubling(n, `{"anyOf":[X,X]}`)))
		if err != nil {
			t.Fatal(err)
		}
		values, _ := s.Bounds()
		if values*18 > last*10 {
			t.Errorf("%d doublings leave %d values, one less left %d", n, values, last)
		}
		last = values
	}
	small := doubling(20, `{"allOf":[X]}`)
	if s, err := schema.Compile([]byte(small)); err != nil {
		t.Errorf("a chain of the same length that doubles nothing: %v, %v", s, err)
	}
}

// What real tools say is not a bomb.
func TestOrdinarySchemasAreAccepted(t *testing.T) {
	var countries, variants []string
	for i := range 250 {
		countries = append(countries, fmt.Sprintf(`"country-%d"`, i))
	}
	for i := range 30 {
		variants = append(variants, fmt.Sprintf(`{"type":"object","properties":{"kind":{"const":"k%d"},"text":{"type":"string"},"n":{"type":"integer"}},"required":["kind"]}`, i))
	}
	for name, raw := range map[string]string{
		"a file tool":          `{"type":"object","properties":{"path":{"type":"string","pattern":"^[a-zA-Z0-9_./-]{1,200}$"},"content":{"type":"string"}},"required":["path","content"]}`,
		"an enum of countries": `{"type":"object","properties":{"c":{"enum":[` + strings.Join(countries, ",") + `]}}}`,
		"thirty variants":      `{"type":"object","properties":{"blocks":{"type":"array","items":{"oneOf":[` + strings.Join(variants, ",") + `]}}}}`,
		"a tree":               `{"type":"object","properties":{"tree":{"$ref":"#/$defs/n"}},"$defs":{"n":{"type":"object","properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/n"}}}}}}`,
		"a filter language":    `{"type":"object","properties":{"f":{"$ref":"#/$defs/f"}},"$defs":{"f":{"anyOf":[{"type":"object","properties":{"and":{"type":"array","items":{"$ref":"#/$defs/f"}}},"required":["and"]},{"type":"object","properties":{"or":{"type":"array","items":{"$ref":"#/$defs/f"}}},"required":["or"]},{"type":"object","properties":{"not":{"$ref":"#/$defs/f"}},"required":["not"]},{"type":"object","properties":{"field":{"type":"string"},"value":{}},"required":["field"]}]}}}`,
		"any JSON value":       `{"type":"object","properties":{"v":{"$ref":"#/$defs/v"}},"$defs":{"v":{"anyOf":[{"type":["string","number","boolean","null"]},{"type":"array","items":{"$ref":"#/$defs/v"}},{"type":"object","additionalProperties":{"$ref":"#/$defs/v"}}]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := schema.CompileInput([]byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			values, bytes := s.Bounds()
			t.Logf("%d values, %d bytes", values, bytes)
			if values < 1000 || bytes < 32<<10 {
				t.Errorf("leaves %d values and %d bytes", values, bytes)
			}
		})
	}
}

// The cost that is counted is the cost that arises: the worst instances of the dearest schemas that
// are accepted come back. A counter that forgot a multiplication would hang here.
func TestDearestAcceptedSchemasComeBack(t *testing.T) {
	wide := func(n int) string { // the dearest anyOf that is accepted at the root of every element
		return `{"items":{"anyOf":[` + strings.TrimSuffix(strings.Repeat(`{"type":"string","maxLength":3},`, n), ",") + `]}}`
	}
	list := func(v string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(v+",", n), ",") + "]"
	}
	for name, row := range map[string]struct{ schema, value string }{
		"wide anyOf":     {wide(450), `{}`},
		"doubling":       {doubling(6, `{"anyOf":[X,X]}`), `1`},
		"enum":           {`{"items":{"enum":["` + strings.Repeat("x", 8000) + `"]}}`, `1`},
		"unique objects": {`{"items":{"uniqueItems":true}}`, list(`{"a":1}`, 19)},
		"errors":         {`{"items":{"type":"string"}}`, `1`},
		"false":          {`{"items":false}`, `1`},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := schema.Compile([]byte(row.schema))
			if err != nil {
				t.Fatal(err)
			}
			values, _ := s.Bounds()
			each := 1 + strings.Count(row.value, ",") + strings.Count(row.value, ":") + strings.Count(row.value, "{") + strings.Count(row.value, "[")
			instance := list(row.value, (values-2)/(each+1))
			done := make(chan error, 1)
			start := time.Now()
			go func() { done <- s.Check([]byte(instance)) }()
			select {
			case err := <-done:
				t.Logf("%d values: %v (%v)", values, err, time.Since(start))
			case <-time.After(60 * time.Second):
				t.Fatalf("%d values are not checked yet", values)
			}
		})
	}
}
