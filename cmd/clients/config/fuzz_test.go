package config_test

import (
	"bytes"
	"testing"

	"github.com/writ-run/writ/cmd/clients/config"
)

// A file that can be edited can be brought back, byte for byte; one that cannot is left as it is.
func fuzz(f *testing.F, s config.Syntax) {
	for _, e := range edits {
		if e.syntax == s {
			f.Add([]byte(e.before))
			f.Add([]byte(e.after))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		root, err := s.Read(data)
		if err != nil {
			return
		}
		before := bytes.Clone(data)
		after, err := s.Put(data, at, entry)
		if !bytes.Equal(data, before) {
			t.Fatal("its argument was changed")
		}
		if err != nil {
			return
		}
		if root.Get(at.Key).Get(at.Name) == nil {
			roundTrip(t, s, data, after)
			return
		}
		dropped, err := s.Drop(after, at)
		if err != nil {
			return
		}
		if left, err := s.Read(dropped); err != nil || left.Get(at.Key).Get(at.Name) != nil {
			t.Fatalf("%v\n%q", err, dropped)
		}
	})
}

func FuzzJSONC(f *testing.F) { fuzz(f, config.JSONC) }
func FuzzTOML(f *testing.F)  { fuzz(f, config.TOML) }
func FuzzYAML(f *testing.F)  { fuzz(f, config.YAML) }
