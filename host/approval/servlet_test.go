package approval_test

import (
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// spinning is a module whose start function, initialisation and call never end: whoever runs any of
// it hangs.
func spinning() []byte {
	var m wasmtest.Module
	m.Memory(wasmtest.Range(1, 2))
	start := m.Func("", "", "", wasmtest.Loop())
	m.Func("_initialize", "", "", wasmtest.Loop())
	m.Func("servlet_call", "", "i", wasmtest.Loop(), wasmtest.I32(0))
	m.Start(start)
	return m.Bytes()
}

// seal writes a servlet file and returns its path.
func seal(t *testing.T, m capabilities.Manifest, by ed25519.PrivateKey) string {
	t.Helper()
	file, err := capabilities.Seal(spinning(), m, by)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, file)
}

func write(t *testing.T, file []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "servlet.wasm")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) *approval.Candidate {
	t.Helper()
	c, err := approval.Read(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// release is a manifest that installs: it expires long after any test runs.
func release(name string, seq uint64) capabilities.Manifest {
	m := manifest(name, "1.0.0", []json.RawMessage{
		tool("read_file", "Reads a file.", ""), tool("write_file", "Writes a file.", ""),
	}, capabilities.Capabilities{
		FS:   []capabilities.FS{{ID: "docs", Guest: "/docs", Mode: capabilities.ModeFull}},
		HTTP: []capabilities.HTTP{{ID: "api", Origin: "https://api.acme.test", Methods: []string{"GET"}, Paths: []string{"/v1/"}}},
	}, map[string][]string{"read_file": {"fs:docs:ro"}, "write_file": {"fs:docs", "http:api"}})
	m.Seq, m.Expires = seq, "2999-01-01T00:00:00Z"
	return m
}

var local = capabilities.Local(capabilities.DefaultSpace)

// desk is a home, a candidate and a choice that works.
type desk struct {
	reg    *registry.Registry
	c      *approval.Candidate
	dir    string
	choice approval.Choice
}

func newDesk(t *testing.T) desk {
	t.Helper()
	d := desk{reg: registrytest.Open(t), c: read(t, seal(t, release("acme/files", 1), key("acme"))), dir: t.TempDir()}
	d.choice = approval.Choice{Tools: []string{"*"}, Dirs: map[string]approval.Directory{"docs": {Path: d.dir}}}
	return d
}

func (d desk) propose(t *testing.T) approval.Plan {
	t.Helper()
	plan, err := approval.Propose(t.Context(), d.reg, local, d.c, d.choice)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func (d desk) install(t *testing.T) registry.Installation {
	t.Helper()
	in, err := approval.Install(t.Context(), d.reg, local, d.c, d.choice, d.propose(t).Digest)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// unchanged checks that what ran since left nothing behind: no record, no audit entry, no generation.
func unchanged(t *testing.T, reg *registry.Registry) (check func()) {
	t.Helper()
	look := func() string {
		list, err := reg.List(t.Context(), local)
		if err != nil {
			t.Fatal(err)
		}
		audit, err := reg.Audit(t.Context(), local, registry.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal([]any{list, audit, reg.Generation()})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := look()
	return func() {
		t.Helper()
		if after := look(); after != before {
			t.Errorf("the registry changed from\n%s\nto\n%s", before, after)
		}
	}
}
