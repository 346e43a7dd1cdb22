package target

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/registry"
)

// Key is a publisher's key, the same one from the same word.
func Key(word string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(fmt.Appendf(nil, "%-32.32s", word))
}

// Manifest is one of a servlet with the one tool "go", to be changed before it is sealed.
func Manifest(name string) capabilities.Manifest {
	return capabilities.Manifest{
		Schema: capabilities.Schema, Name: name, Version: "1.0.0", Module: capabilities.Module{ABI: capabilities.ABI},
		Tools: []json.RawMessage{json.RawMessage(`{"description":"Attacks","name":"go","inputSchema":{"type":"object"}}`)},
		Uses:  map[string][]string{"go": {}}, Limits: capabilities.Limits{MemoryMB: 1, WallMS: 20_000},
	}
}

// Release makes a manifest of one that installs without --dev.
func Release(m capabilities.Manifest, seq uint64) capabilities.Manifest {
	m.Seq, m.Issued, m.Expires = seq, "2025-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
	return m
}

// WriteFile writes a file that may be hostile where the product can be told to read it.
func WriteFile(name string, content []byte) (path string, err error) {
	dir, err := Dir()
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, name)
	return path, os.WriteFile(path, content, 0o600)
}

// Text is an MCP result of one text.
func Text(text string) string {
	return fmt.Sprintf(`{"content":[{"type":"text","text":%q}]}`, text)
}

// Saying is a servlet that answers every call with the same text.
func Saying(text string) []byte {
	answer := Text(text)
	return Guest(func(m *w.Module) [][]byte {
		write := Import(m, "output_write")
		m.Data(0, []byte(answer))
		return [][]byte{w.I32(0), w.I32(int32(len(answer))), w.Call(write), w.Drop(), w.I32(0)}
	})
}

// Telling is a servlet that answers every call with its configuration value of a key, or with "unset" when it is told any
// error.
func Telling(key string) []byte {
	head, tail, _ := strings.Cut(Text("#"), "#")
	const keyAt, headAt, tailAt, unsetAt, valueAt = 0, 1024, 2048, 3072, 4096
	m := &w.Module{}
	get, write := Import(m, "config_get"), Import(m, "output_write")
	m.Memory(w.AtLeast(1))
	m.Data(keyAt, []byte(key))
	m.Data(headAt, []byte(head))
	m.Data(tailAt, []byte(tail))
	m.Data(unsetAt, []byte("unset"))
	say := func(at int32, n []byte) []byte { return w.Code(w.I32(at), n, w.Call(write), w.Drop()) }
	m.FuncLocals("servlet_call", "", "i", []byte{1, 1, 0x7f},
		w.I32(keyAt), w.I32(int32(len(key))), w.I32(valueAt), w.I32(4096), w.Call(get), w.Set(0),
		say(headAt, w.I32(int32(len(head)))),
		w.Get(0), w.I32(0), []byte{0x48}, // i32.lt_s
		[]byte{0x04, 0x40}, say(unsetAt, w.I32(5)), []byte{0x05}, say(valueAt, w.Get(0)), []byte{0x0b},
		say(tailAt, w.I32(int32(len(tail)))), w.I32(0))
	return m.Bytes()
}

// Home is a home with a host over it.
type Home struct {
	Registry *registry.Registry
	Host     *host.Host
	Log      *strings.Builder // what the operator is told; to be read when no call runs
}

// NewHome makes one. Zero fields of cfg are filled in. Close closes it with everything else.
func NewHome(cfg host.Config) (*Home, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	engine, err := Engine(Reset)
	if err != nil {
		return nil, err
	}
	h := &Home{Log: &strings.Builder{}}
	if h.Registry, err = registry.Open(filepath.Join(dir, "home"), nil); err != nil {
		return nil, err
	}
	cfg.Registry, cfg.Engine = h.Registry, engine
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(h.Log, nil))
	}
	cfg.Rate.Off = true // what is attacked here are other limits
	if h.Host, err = host.New(cfg); err != nil {
		return nil, errors.Join(err, h.Registry.Close())
	}
	engines.Lock()
	defer engines.Unlock()
	engines.closes = append(engines.closes, func() error {
		return errors.Join(h.Host.Close(context.Background()), h.Registry.Close())
	})
	return h, nil
}

// Client is a client of a space.
func Client(space string) capabilities.Caller {
	return capabilities.Caller{Principal: "local", Space: space}
}

// Install signs a module and installs it, with a grant of all that its manifest asks for.
func (h *Home) Install(space, alias string, module []byte, m capabilities.Manifest) (registry.Installation, error) {
	file, err := capabilities.Seal(module, m, Key("publisher"))
	if err != nil {
		return registry.Installation{}, err
	}
	unverified, err := capabilities.Read(file)
	if err != nil {
		return registry.Installation{}, err
	}
	s, err := unverified.Verify()
	if err != nil {
		return registry.Installation{}, err
	}
	return h.Registry.Install(context.Background(), Client(space), registry.Installation{
		Space: space, Alias: alias, Name: m.Name, Version: m.Version, Publisher: s.KeyID(), Digest: s.Digest(),
		Source: "attack", Development: true,
		Grant: capabilities.Grant{
			Servlet: m.Name, Publisher: s.KeyID(), Manifest: s.ManifestDigest(), Approver: "local",
			Rights: capabilities.Requested(s.Manifest()),
		},
	}, file)
}

// Answer calls a tool and returns status and text of the answer.
func (h *Home) Answer(space, tool, arguments string) (host.Status, string, error) {
	a, err := h.Host.CallTool(context.Background(), Client(space), host.Request{Tool: tool, Arguments: json.RawMessage(arguments)})
	if err != nil {
		return "", "", err
	}
	var r struct{ Content []struct{ Text string } }
	if err := json.Unmarshal(a.Result, &r); err != nil {
		return "", "", err
	}
	var text []string
	for _, c := range r.Content {
		text = append(text, c.Text)
	}
	return a.Status, strings.ReplaceAll(strings.Join(text, "\n"), a.Call, "CALL"), nil
}

// Want calls a tool and tells how the answer differs from the one that it has to be.
func (h *Home) Want(space, tool, arguments string, status host.Status, text string) error {
	gotStatus, gotText, err := h.Answer(space, tool, arguments)
	switch {
	case err != nil:
		return err
	case gotStatus != status || gotText != text:
		return fmt.Errorf("%s answers %q: %.300q; want %q: %q", tool, gotStatus, gotText, status, text)
	}
	return nil
}
