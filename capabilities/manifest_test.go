package capabilities_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

// emptyModule is the smallest Wasm module: its header.
var emptyModule = []byte("\x00asm\x01\x00\x00\x00")

// testKey is a key that everyone knows.
var testKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

// sample is a manifest that asks for one of each thing that can be built.
func sample() capabilities.Manifest {
	return capabilities.Manifest{
		Schema:  capabilities.Schema,
		Name:    "acme/notes",
		Version: "1.4.2",
		Seq:     17,
		Issued:  "2026-11-20T09:00:00Z",
		Expires: "2027-11-20T09:00:00Z",
		Tools: []json.RawMessage{
			json.RawMessage(`{"name":"read","description":"Reads a note.","inputSchema":{"type":"object","properties":{"path":{"type":"string"}}},"annotations":{"readOnlyHint":true}}`),
			json.RawMessage(`{"name":"write","description":"Writes a note.","inputSchema":{"type":"object"}}`),
			json.RawMessage(`{"name":"post","inputSchema":{"type":"object"}}`),
		},
		Uses: map[string][]string{
			"read":  {"fs:docs:ro", "config:UNITS"},
			"write": {"fs:docs"},
			"post":  {"http:api", "http:own"},
		},
		Capabilities: capabilities.Capabilities{
			HTTP: []capabilities.HTTP{
				{ID: "api", Origin: "https://api.acme.test", Methods: []string{"GET", "POST"}, Paths: []string{"/v1/"}, Why: "forecasts"},
				{ID: "own", Origin: "user", Methods: []string{"GET"}, Paths: []string{"/"}},
			},
			FS: []capabilities.FS{
				{ID: "docs", Guest: "/docs", Mode: capabilities.ModeFull, Why: "your notes"},
				{ID: "more", Guest: "/more", Mode: capabilities.ModeRead},
			},
			Config: []capabilities.Config{{Key: "UNITS", Default: "metric"}, {Key: "PLACE"}},
		},
	}
}

// seal signs m over the empty module.
func seal(t testing.TB, m capabilities.Manifest) []byte {
	t.Helper()
	file, err := capabilities.Seal(emptyModule, m, testKey)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// open reads and verifies file.
func open(file []byte) (capabilities.Servlet, error) {
	u, err := capabilities.Read(file)
	if err != nil {
		return capabilities.Servlet{}, err
	}
	return u.Verify()
}

func mustOpen(t testing.TB, file []byte) capabilities.Servlet {
	t.Helper()
	s, err := open(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealThenReadGivesTheManifestBack(t *testing.T) {
	s := mustOpen(t, seal(t, sample()))
	m := s.Manifest()
	payload, err := m.Encode()
	if err != nil || !bytes.Equal(payload, s.Payload()) {
		t.Fatalf("re-encoding gives other bytes: %v\n%s\n%s", err, payload, s.Payload())
	}
	if got := len(s.Tools()); got != 3 || s.Tools()[0].Name != "read" || !s.Tools()[0].ReadOnly || !s.Tools()[1].Destructive {
		t.Errorf("tools: %+v", s.Tools())
	}
	if !bytes.Equal(s.Module(), emptyModule) {
		t.Error("module changed")
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestManifestsAreBounded(t *testing.T) {
	tools := func(n int, format string) (all []json.RawMessage) {
		for i := range n {
			all = append(all, fmt.Appendf(nil, format, i))
		}
		return all
	}
	const small = `{"name":"t%d","inputSchema":{"type":"object"}}`
	for _, c := range []struct {
		name   string
		change func(*capabilities.Manifest)
		want   string
	}{
		{"as many tools as there can be", func(m *capabilities.Manifest) { m.Tools = tools(512, small) }, ""},
		{"one tool more", func(m *capabilities.Manifest) { m.Tools = tools(513, small) }, "tools: 513 tools: the most is 512"},
		{"a megabyte of text", func(m *capabilities.Manifest) { m.Description = strings.Repeat("x", 1<<20) }, "the most is 1048576"},
		{"one huge tool", func(m *capabilities.Manifest) {
			m.Tools = tools(1, `{"name":"t%d","_meta":{"com.example/x":"`+strings.Repeat("x", 161<<10)+`"},"inputSchema":{"type":"object"}}`)
		}, "tools[0]: has 164938 bytes: the most is 163840"},
		{"nothing but problems", func(m *capabilities.Manifest) { m.Tools = tools(100, `{"name":"T%d"}`) }, "and 68 more problems"},
		{"a description that is too long", func(m *capabilities.Manifest) { m.Description = strings.Repeat("x", 4097) }, "description: has 4097 bytes: the most is 4096"},
	} {
		m := sample()
		m.Uses = nil
		c.change(&m)
		_, err := capabilities.Seal(emptyModule, m, testKey)
		if c.want == "" && err != nil || c.want != "" && !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: got %.200v, want %s", c.name, err, c.want)
		}
	}
}

func TestNewerSchemaIsToldApart(t *testing.T) {
	_, err := capabilities.ParseManifest([]byte(`{"schema":"writ/2","anything":[1,2,3]}`))
	if !errors.Is(err, capabilities.ErrNewer) || !strings.Contains(err.Error(), "this servlet needs a newer Writ (schema writ/2)") {
		t.Errorf("got %v", err)
	}
}

func TestParseToolStandsAlone(t *testing.T) {
	tool, err := capabilities.ParseTool([]byte("{ \"name\": \"read\", \"annotations\": {\"title\": \"Read\", \"destructiveHint\": false},\n \"inputSchema\": {\"type\": \"object\"} }"))
	if err != nil {
		t.Fatal(err)
	}
	if tool.Name != "read" || tool.Title != "Read" || tool.ReadOnly || tool.Destructive || string(tool.InputSchema) != `{"type":"object"}` ||
		string(tool.Raw) != `{"name":"read","annotations":{"title":"Read","destructiveHint":false},"inputSchema":{"type":"object"}}` {
		t.Errorf("got %+v, raw %s", tool, tool.Raw)
	}
	for _, in := range []string{``, `null`, `[]`, `{}`, `{"name":"read"}`, `{"name":"read","inputSchema":{"type":"object"},"description":"\u202e"}`} {
		if _, err := capabilities.ParseTool([]byte(in)); err == nil {
			t.Errorf("%s: accepted", in)
		}
	}
}

// FuzzManifest: what is accepted has one encoding and stays valid; what is refused is refused in
// words that a terminal can show.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(baseManifest))
	f.Add([]byte(strings.Replace(baseManifest, requests, service, 1)))
	f.Add([]byte(strings.Replace(baseManifest, schema, `"inputSchema":{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"anyOf":[true,{"type":"string"}]}}}`, 1)))
	f.Add([]byte(strings.Replace(baseManifest, release, "", 1)))
	f.Add([]byte(`{"schema":"writ/2"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := capabilities.ParseManifest(payload)
		if err != nil {
			if dirty := capabilities.CleanText(err.Error()); dirty != nil {
				t.Fatalf("error %q: %v", err, dirty)
			}
			return
		}
		again, err := m.Encode()
		if err != nil || !bytes.Equal(again, payload) {
			t.Fatalf("accepted %s, encodes as %s, %v", payload, again, err)
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("accepted, then not valid: %v", err)
		}
		if err := capabilities.Subset(capabilities.Requested(m), capabilities.Ceiling(m)); err != nil {
			t.Fatal(err)
		}
		capabilities.Powers(m, nil, nil)
	})
}
