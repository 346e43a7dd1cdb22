package servlet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	servlet "github.com/writ-run/writ/sdk/go"
	"github.com/writ-run/writ/sdk/go/servlettest"
)

// kept runs steps as one call of a servlet that keeps data in kv.
func kept(t *testing.T, kv map[string][]byte, steps func(ctx context.Context) error) servlettest.Result {
	t.Helper()
	keepSteps = steps
	return servlettest.New(t, servlettest.Host{KV: kv, KVQuota: 1000}).Call("keep_things", nil)
}

var keepSteps func(ctx context.Context) error

func init() {
	servlet.AddTool(servlet.Tool{Name: "keep_things", Description: "Runs the steps of a test."},
		func(ctx context.Context, _ struct{}) (string, error) { return "done", keepSteps(ctx) })
}

func TestKV(t *testing.T) {
	kv := map[string][]byte{"old": []byte("1")}
	r := kept(t, kv, func(ctx context.Context) error {
		value, found, err := servlet.KV.Get(ctx, "old")
		if err != nil || !found || string(value) != "1" {
			t.Errorf("old: %q, %v, %v", value, found, err)
		}
		if value, found, err := servlet.KV.Get(ctx, "new"); err != nil || found || value != nil {
			t.Errorf("new: %q, %v, %v", value, found, err)
		}
		type note struct{ Text string }
		if err := servlet.KV.SetJSON(ctx, "n/1", note{"hi"}); err != nil {
			t.Error(err)
		}
		var n note
		if found, err := servlet.KV.GetJSON(ctx, "n/1", &n); err != nil || !found || n.Text != "hi" {
			t.Errorf("n/1: %+v, %v, %v", n, found, err)
		}
		if found, err := servlet.KV.GetJSON(ctx, "n/2", &n); err != nil || found {
			t.Errorf("n/2: %v, %v", found, err)
		}
		if _, err := servlet.KV.GetJSON(ctx, "old", &n); err == nil || !strings.Contains(err.Error(), `"old"`) {
			t.Errorf("a number as a note: %v", err)
		}
		for _, gone := range []string{"old", "never there"} {
			if err := servlet.KV.Delete(ctx, gone); err != nil {
				t.Error(err)
			}
		}
		for key, want := range map[string]error{"": servlet.ErrInvalid, "\xff": servlet.ErrInvalid, strings.Repeat("k", 513): servlet.ErrInvalid, "large": servlet.ErrLimit} {
			if err := servlet.KV.Set(ctx, key, bytes.Repeat([]byte{1}, 999)); !errors.Is(err, want) {
				t.Errorf("setting %.10q: %v, want %v", key, err, want)
			}
		}
		return nil
	})
	if r.IsError || len(kv) != 1 || string(kv["n/1"]) != `{"Text":"hi"}` {
		t.Errorf("%s; kept: %q", r.Text(), kv)
	}
}

func TestKVIsKeptOnSuccessAlone(t *testing.T) {
	kv := map[string][]byte{}
	r := kept(t, kv, func(ctx context.Context) error {
		return errors.Join(servlet.KV.Set(ctx, "a", nil), errors.New("no"))
	})
	if !r.IsError || len(kv) > 0 {
		t.Errorf("%+v; kept: %q", r, kv)
	}
}

func TestKVThatIsNotGranted(t *testing.T) {
	r := kept(t, nil, func(ctx context.Context) error {
		_, err := servlet.KV.List(ctx, servlet.KVList{})
		if !errors.Is(err, servlet.ErrDenied) {
			t.Errorf("listing: %v", err)
		}
		return servlet.KV.Set(ctx, "a", nil)
	})
	if !r.IsError || !strings.Contains(r.Text(), "not granted") {
		t.Errorf("%+v", r)
	}
}

func TestKVLists(t *testing.T) {
	kv := map[string][]byte{}
	var want []string
	for i := range 1200 {
		key := fmt.Sprintf("k/%04d", i)
		kv[key] = []byte(key[2:])
		want = append(want, key)
	}
	kv["j"], kv["l"] = nil, nil
	kept(t, kv, func(ctx context.Context) error {
		page, err := servlet.KV.List(ctx, servlet.KVList{Prefix: "k/", Cursor: "k/0001"})
		if err != nil || len(page.Entries) != 1000 || page.Entries[0].Key != "k/0002" || page.Entries[0].Value != nil || page.Cursor != "k/1001" {
			t.Errorf("%d entries, cursor %q, %v", len(page.Entries), page.Cursor, err)
		}
		var got []string
		for e, err := range servlet.KV.All(ctx, "k/") {
			if err != nil || string(e.Value) != e.Key[2:] {
				t.Fatalf("%q: %q, %v", e.Key, e.Value, err)
			}
			got = append(got, e.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d keys: %q...", len(got), got[:min(3, len(got))])
		}
		return nil
	})
}
