package approval_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/host/wasm/wasmtest"
)

func TestReadSaysInOneLineWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, err := os.ReadFile(seal(t, release("acme/files", 1), key("acme")))
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len("\x00asm\x01\x00\x00\x00")+20] ^= 1
	large := filepath.Join(dir, "large.wasm")
	if err := os.WriteFile(large, []byte("\x00asm"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, approval.MaxFile+1); err != nil {
		t.Fatal(err)
	}
	dear := release("acme/files", 1)
	dear.Tools = []json.RawMessage{json.RawMessage(`{"name":"read_file","inputSchema":{"type":"object","anyOf":[{"additionalProperties":{"$ref":"#"}},{"additionalProperties":{"$ref":"#"}}]}}`)}
	dear.Uses = nil

	for _, row := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "none.wasm"), "no such file"},
		{"directory", dir, "is a directory"},
		{"empty", file("empty", nil), "is empty"},
		{"too large", large, "larger than 64 MiB"},
		{"text", file("text", []byte("#!/bin/sh\n")), "not a Wasm file"},
		{"unsigned", file("unsigned", spinning()), `was it built with "writ build"?`},
		{"flipped bit", file("flipped", flipped), "module is not the one that was signed"},
		{"flipped bit: what to do", file("flipped-too", flipped), ": get it again from its publisher"},
		{"cut", file("cut", good[:len(good)/2]), "cut or damaged at offset"},
		{"cut: what to do", file("cut-too", good[:len(good)/2]), ": get it again from its publisher"},
		{"cut", file("cut", good[:len(good)-5]), "reading"},
		{"schema that costs too much", write(t, mustSeal(t, spinning(), dear)), "inputSchema"},
		{"unasked import", write(t, mustSeal(t, importing("writ1", "http_start"), withoutHTTP())), "requests no http capability"},
		{"hostile name", filepath.Join(dir, "a\x1b[31m\nb"), `a\u001b[31m\u000ab`},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, err := approval.Read(t.Context(), row.path)
			if err == nil || c != nil {
				t.Fatalf("read %v", c)
			}
			if text := err.Error(); !strings.Contains(text, row.want) || strings.ContainsAny(text, "\n\x1b") {
				t.Errorf("got %q, want one line with %q", text, row.want)
			}
		})
	}
}

func mustSeal(t *testing.T, module []byte, m capabilities.Manifest) []byte {
	t.Helper()
	file, err := capabilities.Seal(module, m, key("acme"))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func importing(module, name string) []byte {
	var m wasmtest.Module
	m.Import(module, name, "iiii", "i")
	m.Memory(wasmtest.Range(1, 2))
	m.Func("servlet_call", "", "i", wasmtest.I32(0))
	return m.Bytes()
}

func withoutHTTP() capabilities.Manifest {
	m := release("acme/files", 1)
	m.Capabilities, m.Uses = capabilities.Capabilities{}, nil
	return m
}

func TestReadFollowsALinkToAFile(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link.wasm")
	if err := os.Symlink(seal(t, release("acme/files", 1), key("acme")), link); err != nil {
		t.Fatal(err)
	}
	if c := read(t, link); c.Source != link {
		t.Errorf("source is %q", c.Source)
	}
}

// What a file says after it was read does not matter any more.
func TestReadKeepsTheBytesThatItVerified(t *testing.T) {
	d := newDesk(t)
	path := seal(t, release("acme/files", 1), key("acme"))
	d.c = read(t, path)
	plan := d.propose(t)
	if err := os.WriteFile(path, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := approval.Install(t.Context(), d.reg, local, d.c, d.choice, plan.Digest)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := d.reg.Blob(t.Context(), in.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := capabilities.Read(blob); err != nil {
		t.Error(err)
	} else if _, err := u.Verify(); err != nil {
		t.Error(err)
	}
}

func TestNewerSchemaSaysSo(t *testing.T) {
	file := mustSeal(t, spinning(), release("acme/files", 1))
	newer := bytes.Replace(file, []byte("application/vnd.writ.manifest.v1+json"), []byte("application/vnd.writ.manifest.v2+json"), 1)
	_, err := approval.Read(t.Context(), write(t, newer))
	if !errors.Is(err, capabilities.ErrNewer) {
		t.Errorf("got %v", err)
	}
}

func TestDescribeIsTheManifestAndWhatWasFound(t *testing.T) {
	c := read(t, seal(t, release("acme/files", 3), key("acme")))
	text, err := json.Marshal(approval.Describe(c, nil, approval.Start{}))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]any{
		"name": "acme/files", "version": "1.0.0", "seq": 3.0, "verified": true, "development": false,
		"digest": c.Servlet.Digest(), "publisher": c.Servlet.KeyID(), "key": publisher("acme"),
	} {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	for _, field := range []string{"tools", "capabilities", "imports", "powers", "module", "limits", "uses"} {
		if got[field] == nil {
			t.Errorf("%s is missing in %s", field, text)
		}
	}
	for _, p := range approval.Describe(c, &capabilities.Rights{}, approval.Start{}).Powers {
		if p.Kind == capabilities.KindFS && p.Status != capabilities.NotGranted {
			t.Errorf("with an empty grant, files are %s", p.Status)
		}
	}
}

// Some clients give up the whole list of tools for one reference that they cannot follow. No key of
// a publisher gets one in: neither is it signed here, nor read when it was signed elsewhere.
func TestReferenceThatPointsNowhereIsNotInstalled(t *testing.T) {
	const good, bad = `"$ref":"#/$defs/unit"`, `"$ref":"#/$defs/none"`
	m := release("acme/files", 1)
	m.Tools[0] = json.RawMessage(`{"name":"read_file","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"u":{` + good + `}},"$defs":{"unit":{"type":"string"}}}}`)
	file := mustSeal(t, spinning(), m)
	read(t, write(t, file)) // the control
	m.Tools[0] = bytes.Replace(m.Tools[0], []byte(good), []byte(bad), 1)
	const problem = `tools[0].outputSchema.properties.u.$ref: want a reference to a schema in the same document`
	if _, err := capabilities.Seal(spinning(), m, key("acme")); err == nil || !strings.Contains(err.Error(), problem) {
		t.Errorf("sealing: %v", err)
	}
	_, err := approval.Read(t.Context(), write(t, resign(t, file, good, bad)))
	if err == nil || !strings.Contains(err.Error(), problem) {
		t.Errorf("reading: %v", err)
	}
}

// resign changes the manifest of a servlet file and signs it again, as a builder would that checks
// nothing. What is written over must be as long.
func resign(t *testing.T, file []byte, old, new string) []byte {
	t.Helper()
	unverified, err := capabilities.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := unverified.Verify()
	if err != nil {
		t.Fatal(err)
	}
	before := s.Payload()
	after := bytes.Replace(before, []byte(old), []byte(new), 1)
	signature := func(payload []byte) []byte {
		const kind = "application/vnd.writ.manifest.v1+json"
		return ed25519.Sign(key("acme"), fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload))
	}
	for _, swap := range [][2][]byte{{before, after}, {signature(before), signature(after)}} {
		was, is := base64.StdEncoding.EncodeToString(swap[0]), base64.StdEncoding.EncodeToString(swap[1])
		if !bytes.Contains(file, []byte(was)) || len(was) != len(is) {
			t.Fatal("the file is not made as this test believes")
		}
		file = bytes.Replace(file, []byte(was), []byte(is), 1)
	}
	return file
}
