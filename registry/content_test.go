package registry_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/writ-run/writ/registry"
)

// FuzzEntryContent: what is hashed when an entry is written is what is hashed when it is verified.
func FuzzEntryContent(f *testing.F) {
	f.Add("call", "local", "default", "notes", "0123abcd", `{"tool":"read","arguments_bytes":12}`, int64(1_790_000_000_123_456_789), uint64(7))
	f.Add("install", "a b", "x", "", "", ``, int64(0), uint64(0))
	f.Add("é", "\"", "\\", "~", " ", `{"a": "\u0041\n"}`, int64(-1), uint64(1<<63))
	f.Add("effect", "local", "default", "n", "c", `{}`, int64(1e9), uint64(1))
	f.Add("effect", "local", "default", "n", "c", `null`, int64(1_500_000_000), uint64(1))
	f.Fuzz(func(t *testing.T, event, principal, space, alias, call, detail string, at int64, seq uint64) {
		e := registry.Entry{
			Seq: seq, Time: time.Unix(0, at).UTC(), Chain: "store", Event: event, Principal: principal, Space: space, Alias: alias, Call: call,
			Detail: json.RawMessage(detail), Prev: "0f",
		}
		quick, plain, slow, err := registry.Contents(e)
		if err == nil && plain && string(quick) != string(slow) {
			t.Errorf("written  %s\nverified %s", quick, slow)
		}
	})
}

func TestOrdinaryEntriesArePlain(t *testing.T) {
	for _, detail := range []string{``, `{"status":"ok","wall_ms":3}`} {
		e := call("0123456789abcdef")
		e.Detail, e.Time = json.RawMessage(detail), time.Now().UTC()
		if quick, plain, slow, err := registry.Contents(e); err != nil || !plain || string(quick) != string(slow) {
			t.Errorf("%v, plain %t:\n%s\n%s", err, plain, quick, slow)
		}
	}
}
