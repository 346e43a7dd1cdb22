package resources

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"path/filepath"

	"github.com/writ-run/writ/capabilities"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/registry"
)

// The spaces of an attack: one has the hostile servlets, the other belongs to somebody else.
const (
	hostileSpace = capabilities.DefaultSpace
	otherSpace   = "other"
)

// cheapTool is what the other caller calls.
const cheapTool = "cheap_go"

// servlet is a module under an alias, with its one tool "go".
type servlet struct {
	alias  string
	module []byte
	limits capabilities.Limits
	folder string // granted as /data, for reading and writing; empty: none
	origin string // granted as "api", for POST below /; empty: none
}

// tool is the name under which a client calls it.
func (s servlet) tool() string { return s.alias + "_go" }

// install signs a servlet and installs it with a grant of all that it asks for.
func (s servlet) install(ctx context.Context, reg *registry.Registry, space string) error {
	file, err := capabilities.Seal(s.module, s.manifest(), ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		return err
	}
	unverified, err := capabilities.Read(file)
	if err != nil {
		return err
	}
	v, err := unverified.Verify()
	if err != nil {
		return err
	}
	rights := capabilities.Requested(v.Manifest())
	for id, r := range rights.FS {
		if r.Path, err = filepath.EvalSymlinks(s.folder); err != nil {
			return err
		}
		rights.FS[id] = r
	}
	for id, r := range rights.HTTP {
		r.Origin = s.origin
		rights.HTTP[id] = r
	}
	_, err = reg.Install(ctx, capabilities.Local(space), registry.Installation{
		Space: space, Alias: s.alias, Name: v.Manifest().Name, Version: v.Manifest().Version, Publisher: v.KeyID(), Digest: v.Digest(),
		Source: "hostile", Development: true,
		Grant: capabilities.Grant{
			Servlet: v.Manifest().Name, Publisher: v.KeyID(), Manifest: v.ManifestDigest(), Approver: "local", Rights: rights,
		},
	}, file)
	return err
}

func (s servlet) manifest() capabilities.Manifest {
	m := capabilities.Manifest{
		Schema: capabilities.Schema, Name: "hostile/" + s.alias, Version: "1.0.0", Module: capabilities.Module{ABI: capabilities.ABI},
		Tools:  []json.RawMessage{json.RawMessage(`{"description":"Attacks","name":"go","inputSchema":{"type":"object"}}`)},
		Uses:   map[string][]string{"go": {}},
		Limits: s.limits,
	}
	if s.folder != "" {
		m.Capabilities.FS = []capabilities.FS{{ID: "data", Guest: "/data", Mode: capabilities.ModeFull}}
		m.Uses["go"] = append(m.Uses["go"], "fs:data")
	}
	if s.origin != "" {
		m.Capabilities.HTTP = []capabilities.HTTP{{ID: "api", Origin: "user", Methods: []string{"POST"}, Paths: []string{"/"}}}
		m.Uses["go"] = append(m.Uses["go"], "http:api")
	}
	return m
}

// cheap is the servlet of the other caller: it answers a constant.
func cheap() servlet {
	const answer = `{"content":[{"type":"text","text":"cheap"}]}`
	return servlet{alias: "cheap", limits: capabilities.Limits{MemoryMB: 1, WallMS: 10_000}, module: guest(func(m *w.Module) []byte {
		write := m.Import("writ1", "output_write", "ii", "i")
		m.Data(0, []byte(answer))
		return w.Code(w.I32(0), w.I32(int32(len(answer))), w.Call(write), w.Drop(), w.I32(0))
	})}
}
