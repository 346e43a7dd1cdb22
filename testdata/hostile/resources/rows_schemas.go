package resources

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
)

// maxReading is how long a servlet file with a bomb in it may take to be refused.
const maxReading = 100 * time.Millisecond

// bomb is a schema that costs more than it weighs.
type bomb struct{ name, schema, refusal string }

func bombs() []bomb {
	doubled := `"$defs":{"d0":{"type":"string"}`
	for i := 1; i <= 40; i++ {
		doubled += fmt.Sprintf(`,"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i, i-1, i-1)
	}
	doubled += `}`
	return []bomb{
		{"a reference to itself", `{"type":"object","properties":{"a":{"$ref":"#/properties/a"}}}`, `tool go: inputSchema: schema refused at "/properties/a": it refers to itself without going deeper into the value`},
		{"references in a circle", `{"type":"object","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"properties":{"x":{"$ref":"#/$defs/a"}}}`, `tool go: inputSchema: schema refused at "/$defs/a": it refers to itself without going deeper into the value`},
		{"allOf, doubled forty times", `{"type":"object",` + doubled + `,"properties":{"x":{"$ref":"#/$defs/d40"}}}`, "tool go: inputSchema: schema costs too much to check: up to 1024 evaluations for each value, at most 1000 are allowed; nest fewer anyOf, oneOf, allOf and $ref, or shorten enums"},
		{"a regular expression that backtracks", `{"type":"object","properties":{"a":{"type":"string","pattern":"^(a+)+(b+)+(c+)+(?=x)$"}}}`, `tool go: inputSchema: schema refused at "/properties/a": pattern "^(a+)+(b+)+(c+)+(?=x)$" looks around with (?=, which RE2 does not have: it can take exponential time`},
		{"a regular expression that is repeated", `{"type":"object","properties":{"a":{"type":"string","pattern":"((((a{1,1000}){1,1000}){1,1000}){1,1000})"}}}`, `tool go: inputSchema: schema refused at "/properties/a": pattern "((((a{1,1000}){1,1000}){1,1000}){1,1000})" is not RE2 syntax`},
		{"an enumeration of ten megabytes", `{"type":"object","properties":{"a":{"enum":["` + strings.Repeat(`x","`, 10<<20/4) + `"]}}}`, "manifest: 10486159 bytes: the most is 1048576"},
		{"a thousand schemas in each other", `{"type":"object","properties":{"a":` + strings.Repeat(`{"not":`, 1000) + `{}` + strings.Repeat(`}`, 1000) + `}}`, "manifest: JSON: nested deeper than 64 at offset 748"},
		{"a reference to elsewhere", `{"type":"object","properties":{"a":{"$ref":"https://example.com/bomb.json"}}}`, "manifest: tools[0].inputSchema.properties.a.$ref: want a reference to a schema in the same document, such as \"#/$defs/name\""},
	}
}

// schemas are refused when the servlet is read, before anybody is asked.
func schemas(r *attack.Report) {
	dir, err := os.MkdirTemp("", "writ-hostile-")
	if err != nil {
		r.Variant("preparing", func() error { return err })
		return
	}
	defer os.RemoveAll(dir)
	var slowest time.Duration
	for _, b := range bombs() {
		r.Variant(b.name, func() error {
			took, err := b.read(dir)
			slowest = max(slowest, took)
			if err == nil && took > maxReading && r.Thorough {
				err = fmt.Errorf("it was refused after %v", took.Round(time.Millisecond))
			}
			return err
		})
	}
	r.Detail("slowest refusal after %s", ms(slowest))
}

// read reads a servlet with the schema as an installer does. Where not even its publisher can sign it, the
// manifest alone is read, as the installer would have to.
func (b bomb) read(dir string) (took time.Duration, err error) {
	m := servlet{alias: "bomb"}.manifest()
	m.Tools = []json.RawMessage{json.RawMessage(`{"description":"Attacks","name":"go","inputSchema":` + b.schema + `}`)}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	path := filepath.Join(dir, "bomb.wasm")
	module := guest(func(*w.Module) []byte { return w.I32(1) })
	read := func() error { _, err := approval.Read(context.Background(), path); return err }
	if file, err := capabilities.Seal(module, m, key); err == nil {
		err = os.WriteFile(path, file, 0o600)
		if err != nil {
			return 0, err
		}
	} else {
		m.Publisher = capabilities.FormatPublisher(key.Public().(ed25519.PublicKey))
		m.Module.SHA256, m.Module.Size = strings.Repeat("0", 64), 1000
		payload, err := json.Marshal(m)
		if err != nil {
			return 0, err
		}
		read = func() error { _, err := capabilities.ParseManifest(payload); return err }
	}
	began := time.Now()
	err = read()
	took = time.Since(began)
	if err == nil {
		return took, errors.New("it was accepted")
	}
	if text := strings.TrimPrefix(err.Error(), "reading "+path+": "); text != b.refusal {
		return took, fmt.Errorf("it was refused with %.400q", text)
	}
	return took, nil
}
