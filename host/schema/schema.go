// Package schema checks a tool's arguments and results against its signed JSON Schema, at a cost that
// is bounded before anything runs: a schema whose worst case is too dear is refused at install.
//
// A schema is read into a tree of our own first. The tree resolves every reference, knows every
// keyword that asserts something and forgets the rest, and its worst case is counted. Only then is a
// plain document written from it (draft 2020-12, references of one form, no identifiers, no formats,
// no content keywords) and given to the validating library, which has no budget of its own: a schema
// of 1.6 KB can cost it twenty seconds. What was counted is what is compiled.
//
// What the schema language means here, where it leaves a choice:
//   - draft 2020-12 and draft-07, 2020-12 when $schema is silent;
//   - references within the document only, by pointer or $anchor; no $dynamicRef, no embedded $id;
//   - patterns are RE2, so that no pattern takes exponential time;
//   - format and content keywords are annotations: they are shown to the model and assert nothing;
//   - numbers are exact, never floats.
package schema

import (
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// Errors of this room. Each is wrapped by one line that names the place.
var (
	// ErrSchema is a schema that cannot be used: not valid, not supported, or outside a fixed limit.
	ErrSchema = errors.New("schema refused")
	// ErrTooDear is a schema whose worst case costs more than a check may.
	ErrTooDear = errors.New("schema costs too much to check")
)

// Limits of a schema.
const (
	MaxSchema     = 64 << 10 // bytes
	MaxSubschemas = 1000
	MaxEnum       = 1000 // values of one enum
	MaxPattern    = 512  // bytes of one pattern
	MaxName       = 128  // bytes of a property's name, in schemas and in instances
)

// Limits of an instance. A schema of some cost lowers MaxValues and MaxArguments for its own
// instances, so that values times cost stays bounded.
const (
	// MaxInstance is the largest instance that Check reads, in bytes.
	MaxInstance = 4 << 20
	// MaxArguments is the largest instance of an input schema, in bytes, unless one of its maxLength
	// keywords asks for more. There is no limit of its own for a string: a tool that writes files
	// takes a whole file in one.
	MaxArguments = 1 << 20
	// MaxDepth is how deep arguments may nest; MaxResultDepth is the same of a result.
	MaxDepth       = 15
	MaxResultDepth = 32
	// MaxItems is the longest array in arguments, unless a maxItems keyword of the schema asks for more.
	MaxItems = 1000
	// MaxValues is how many values and names an instance may have.
	MaxValues = 100_000
)

// Schema is a compiled schema of bounded cost. Only Compile and CompileInput make one. It is safe for
// concurrent use.
type Schema struct {
	compiled *jsonschema.Schema
	form     *form  // what compiled says, where it is plain
	root     *node  // what compiled was made of, to find integers
	document any    // what compiled was made of, to explain errors
	subject  string // how errors call the instance: "arguments", "structuredContent"
	limits   limits
}

// Compile accepts a schema of draft 2020-12 or draft-07 within limits (bytes, subschemas, cost
// of expanded references) and refuses remote references and unknown dialects. It never fetches anything.
func Compile(raw []byte) (*Schema, error) {
	return compile(raw, profile{subject: "structuredContent", depth: MaxResultDepth, bytes: MaxInstance, items: MaxValues})
}

// CompileInput is Compile for a tool's inputSchema: the root must be type object, and names that the
// schema does not mention are refused when arguments are checked, as if it said
// additionalProperties false, unless it says otherwise itself. The same holds for an object inside
// that is described by properties alone, directly or through one $ref; objects that are put together
// with allOf, anyOf, oneOf, if or not stay as open as they say. The signed schema is not changed.
func CompileInput(raw []byte) (*Schema, error) {
	return compile(raw, profile{subject: "arguments", depth: MaxDepth, bytes: MaxArguments, items: MaxItems, input: true})
}

// Accept reports whether both schemas of a tool can be checked, with what is wrong and in which: what
// is refused here is never built, installed or run. output may be empty: a tool need not have one.
func Accept(input, output []byte) error {
	if _, err := CompileInput(input); err != nil {
		return fmt.Errorf("inputSchema: %w", err)
	}
	if len(output) == 0 {
		return nil
	}
	if _, err := Compile(output); err != nil {
		return fmt.Errorf("outputSchema: %w", err)
	}
	return nil
}

// profile is what differs between arguments and results.
type profile struct {
	subject string
	depth   int
	bytes   int
	items   int
	input   bool // close silent objects, refuse direction-changing characters
}

func compile(raw []byte, p profile) (s *Schema, err error) {
	// The library panics on some documents that its own meta-schema lets pass: one more reason to give
	// it only what we wrote, and the last line should one be left.
	defer func() {
		if recover() != nil {
			s, err = nil, fmt.Errorf("%w: it cannot be compiled", ErrSchema)
		}
	}()
	tree, err := parse(raw)
	if err != nil {
		return nil, err
	}
	if p.input {
		if !tree.root.onlyObject() {
			return nil, refuse("", `the root must say "type": "object"`)
		}
		tree.closeSilent()
	}
	bound, err := tree.bound(p)
	if err != nil {
		return nil, err
	}
	doc := tree.document()
	compiled, err := compileDocument(doc)
	if err != nil {
		return nil, err
	}
	return &Schema{compiled: compiled, form: forms{}.of(tree.root), root: tree.root, document: doc, subject: p.subject, limits: bound}, nil
}

// Check returns nil or an error of one line that names the argument ("arguments.path: ...") and
// what was expected, for the model to mend. It never quotes more than 64 characters of the input.
// instance must be one strict JSON value of at most MaxInstance bytes.
func (s *Schema) Check(instance []byte) error {
	_, err := s.Read(instance)
	return err
}

// Read is Check, and returns what was checked: instance without insignificant space, as
// strictjson.Compact writes it. In arguments whole numbers of up to 20 digits are written as integers where
// the schema says integer: 2.0 is 2.
func (s *Schema) Read(instance []byte) (compact []byte, err error) {
	defer func() {
		if recover() != nil {
			compact, err = nil, fmt.Errorf("%s: cannot be checked against the schema", s.subject)
		}
	}()
	if len(instance) > s.limits.bytes {
		return nil, fmt.Errorf("%s: %d bytes; at most %d are allowed here", s.subject, len(instance), s.limits.bytes)
	}
	if err := measure(instance, s.limits); err != nil {
		return nil, fmt.Errorf("%s: %w", s.subject, err)
	}
	if compact, err = strictjson.Compact(instance); err != nil {
		return nil, fmt.Errorf("%s: %w", s.subject, err)
	}
	reader := decoder{data: compact}
	value, err := reader.all()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.subject, err)
	}
	if err := inspect(value, s.subject, s.limits); err != nil {
		return nil, err
	}
	if !s.form.fits(value) {
		if err := s.explain(s.compiled.Validate(value), value); err != nil {
			return nil, err
		}
	}
	if !reader.unusual || !s.limits.input {
		return compact, nil
	}
	// Written out they may be longer, and what a guest is given has the same limit as what came.
	if compact = s.integers(compact); len(compact) > s.limits.bytes {
		return nil, fmt.Errorf("%s: %d bytes with integers written out; at most %d are allowed here", s.subject, len(compact), s.limits.bytes)
	}
	return compact, nil
}
