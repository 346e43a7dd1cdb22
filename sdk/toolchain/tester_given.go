package toolchain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/sdk/toolchain/calls"
)

// given is what one call of a test gets: its policy, and what stands behind it. It records what the guard
// decides, and hands out the secrets.
type given struct {
	policy  capabilities.Policy
	network guard.Network
	kept    *keptHere
	secrets map[string]capabilities.SecretValue
	scratch string // folder of the copies; "": there are none
	folders map[string]folderHere

	mu      sync.Mutex // guards refused
	refused []string
}

// folderHere is one granted folder: its copy, and what it has to hold afterwards.
type folderHere struct {
	path string
	want map[string]string
}

var errNoSecret = errors.New("no value was given")

// give makes what a call gets: all that servlet.toml requests for its tool, but for folders that the call
// does not name and what it says it is without.
func (t tester) give(f *testFile, c calls.Call) (g *given, err error) {
	g = &given{kept: f.kept, secrets: t.options.Secrets, folders: map[string]folderHere{}}
	made := g // what is returned beside an error is nil
	defer func() {
		if err != nil {
			made.remove()
		}
	}()
	if !t.options.Record {
		// A placeholder: a request without its secret would not be sent, and what is replayed shows none.
		g.secrets = nil
	}
	for key, value := range c.KV {
		f.kept.set(key, []byte(value))
	}
	m := t.servlet.Manifest()
	rights := capabilities.Requested(m)
	rights.Tools = []string{c.Tool}
	hosts := f.known.Hosts
	if t.options.Record {
		hosts = maps.Clone(f.known.Hosts)
		if hosts == nil {
			hosts = map[string]string{}
		}
		maps.Copy(hosts, t.options.Hosts)
	}
	for id, right := range rights.HTTP {
		if right.Origin != "user" {
			continue
		}
		if right.Origin = hosts[id]; right.Origin == "" {
			delete(rights.HTTP, id)
			continue
		}
		rights.HTTP[id] = right
	}
	for id := range c.Folders {
		if _, known := rights.FS[id]; !known {
			return nil, fmt.Errorf("folders.%s: servlet.toml requests no such folder", capabilities.Printable(id, 64))
		}
	}
	for id, right := range rights.FS {
		folder, named := c.Folders[id]
		if !named {
			delete(rights.FS, id)
			continue
		}
		if right.Path, err = g.copy(t.options.Dir, id, folder); err != nil {
			return nil, err
		}
		if folder.ReadOnly {
			right.Mode = capabilities.ModeRead
		}
		rights.FS[id] = right
	}
	for _, use := range c.Without {
		if !withhold(&rights, use) {
			return nil, fmt.Errorf("without: servlet.toml does not request %q", capabilities.Printable(use, 80))
		}
	}
	digest := t.servlet.ManifestDigest()
	grant := capabilities.Grant{Servlet: m.Name, Publisher: t.servlet.KeyID(), Manifest: digest, Rights: rights}
	g.policy, err = capabilities.Effective(m, digest, grant, capabilities.Local(capabilities.DefaultSpace), "test", c.Tool, c.Config)
	return g, err
}

// withhold takes one right away, as an operator who refuses it does. It is false when it was never asked for;
// a folder that the call does not name has gone before.
func withhold(r *capabilities.Rights, use string) bool {
	kind, id, _ := strings.Cut(use, ":")
	switch capabilities.Kind(kind) {
	case capabilities.KindHTTP:
		delete(r.HTTP, id)
	case capabilities.KindFS:
		delete(r.FS, id)
	case capabilities.KindSecret:
		delete(r.Secret, id)
	case capabilities.KindConfig:
		r.Config = slices.DeleteFunc(r.Config, func(key string) bool { return key == id })
	case capabilities.KindWeb:
		r.Web = nil
	case capabilities.KindKV:
		r.KV = nil
	default:
		return false
	}
	return true
}

// copy makes the copy of a folder that the call gets.
func (g *given) copy(dir, id string, folder calls.Folder) (string, error) {
	if g.scratch == "" {
		made, err := os.MkdirTemp("", "writ-test-")
		if err == nil {
			made, err = filepath.EvalSymlinks(made) // a grant's path has no links
		}
		if err != nil {
			return "", fmt.Errorf("making a folder for the call: %w", err)
		}
		g.scratch = made
	}
	files, err := readTree(dir, folder.Start)
	if err != nil {
		return "", fmt.Errorf("folders.%s.start: %w", id, err)
	}
	want := files
	if folder.End != nil {
		if want, err = readTree(dir, *folder.End); err != nil {
			return "", fmt.Errorf("folders.%s.end: %w", id, err)
		}
	}
	path := filepath.Join(g.scratch, fmt.Sprint(len(g.folders)))
	if err := writeTree(path, files); err != nil {
		return "", fmt.Errorf("making a folder for the call: %w", err)
	}
	g.folders[id] = folderHere{path, want}
	return path, nil
}

// held is what the folders hold now.
func (g *given) held() (map[string]calls.Held, error) {
	all := map[string]calls.Held{}
	for id, folder := range g.folders {
		after, err := treeOf(folder.path)
		if err != nil {
			return nil, fmt.Errorf("folders.%s: %w", id, err)
		}
		all[id] = calls.Held{After: after, Want: folder.want}
	}
	return all, nil
}

func (g *given) remove() {
	if g.scratch != "" {
		os.RemoveAll(g.scratch)
	}
}

// Record implements guard.Recorder.
func (g *given) Record(_ context.Context, e guard.Event) error {
	if e.Decision != "deny" {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.refused) < 100 {
		g.refused = append(g.refused, fmt.Sprintf("%s %s %s: %s", e.Kind, e.Action, e.Target, e.Reason))
	}
	return nil
}

// denied are the refusals, one line each; one that was repeated at once stands for all.
func (g *given) denied() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Compact(slices.Clone(g.refused))
}

// Secret implements guard.Secrets.
func (g *given) Secret(_ context.Context, key string) (capabilities.SecretValue, error) {
	if g.secrets == nil && g.network.Tape != nil {
		return capabilities.NewSecretValue("placeholder-" + key)
	}
	value, ok := g.secrets[key]
	if !ok {
		return capabilities.SecretValue{}, errNoSecret
	}
	return value, nil
}

// keeper is what the call keeps data in; nil: it has no right to any.
func (g *given) keeper() guard.Keeper {
	if g.policy.Rights.KV == nil || g.kept == nil {
		return nil
	}
	return g.kept
}
