package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/writ-run/writ/registry/vault"
)

func TestSealedTextOpensWhereItBelongs(t *testing.T) {
	key := vault.NewKey()
	sealed, err := key.Seal([]byte("value"), "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := key.Open(sealed, "a", "b"); err != nil || string(plain) != "value" {
		t.Fatalf("%q, %v", plain, err)
	}
	for intent, bound := range map[string][]string{
		"nothing": nil, "less": {"a"}, "another": {"a", "c"}, "joined": {"ab"}, "split elsewhere": {"", "ab"}, "more": {"a", "b", ""},
	} {
		if _, err := key.Open(sealed, bound...); !errors.Is(err, vault.ErrSealed) {
			t.Errorf("bound to %s: %v", intent, err)
		}
	}
	if _, err := vault.NewKey().Open(sealed, "a", "b"); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("with another key: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		for what, text := range map[string][]byte{"changed": changed, "cut": sealed[:i]} {
			if _, err := key.Open(text, "a", "b"); !errors.Is(err, vault.ErrSealed) {
				t.Errorf("%s at %d: %v", what, i, err)
			}
		}
	}
	again, err := key.Seal([]byte("value"), "a", "b")
	if err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealed twice, the same came out: %v", err)
	}
	var zero vault.Key
	if _, err := zero.Seal(nil); !errors.Is(err, vault.ErrLocked) {
		t.Errorf("the zero key seals: %v", err)
	}
	if _, err := zero.Open(sealed); !errors.Is(err, vault.ErrLocked) {
		t.Errorf("the zero key opens: %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", key, struct{ K vault.Key }{key}, key, key); text != "[key] {K:[key]} [key] [key]" {
		t.Errorf("printed %s", text)
	}
}

// memory keeps texts for a test.
type memory map[string]string

func (m memory) Get(_ context.Context, name string) (string, error) {
	if text, ok := m[name]; ok {
		return text, nil
	}
	return "", vault.ErrLocked
}
func (m memory) Put(_ context.Context, name, text string) error { m[name] = text; return nil }
func (m memory) Delete(_ context.Context, name string) error    { delete(m, name); return nil }

func TestWrappingIsBoundToAllThatIsInIt(t *testing.T) {
	phrase := []byte("correct horse")
	ask := func(context.Context, bool) ([]byte, error) { return phrase, nil }
	p := vault.Providers{Keyring: memory{}, File: memory{}, Ask: ask}
	data := vault.NewKey()
	for _, provider := range []string{vault.Keyring, vault.File, vault.Passphrase} {
		w, err := p.Wrap(t.Context(), provider, "home", "name", data)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Unwrap(t.Context(), "home", w)
		if err != nil {
			t.Fatal(err)
		}
		sealed, _ := data.Seal([]byte("value"))
		if plain, err := got.Open(sealed); err != nil || string(plain) != "value" {
			t.Errorf("%s: another key came back: %v", provider, err)
		}
		if _, err := p.Unwrap(t.Context(), "another home", w); err == nil {
			t.Errorf("%s: opens in another home", provider)
		}
		for intent, change := range map[string]func(*vault.Wrapping){
			"sealed":  func(w *vault.Wrapping) { w.Sealed = bytes.Clone(w.Sealed); w.Sealed[40] ^= 1 },
			"cut":     func(w *vault.Wrapping) { w.Sealed = w.Sealed[:10] },
			"nowhere": func(w *vault.Wrapping) { w.Provider = "cloud" },
			"costs":   func(w *vault.Wrapping) { w.Time += 1 << 20; w.Salt = nil },
		} {
			changed := w
			change(&changed)
			if _, err := p.Unwrap(t.Context(), "home", changed); err == nil {
				t.Errorf("%s, %s changed: opens", provider, intent)
			}
		}
		if err := p.Forget(t.Context(), w); err != nil {
			t.Error(err)
		}
	}
	w, err := p.Wrap(t.Context(), vault.Passphrase, "home", "", data)
	if err != nil {
		t.Fatal(err)
	}
	phrase = []byte("correct house")
	if _, err := p.Unwrap(t.Context(), "home", w); !errors.Is(err, vault.ErrPassphrase) {
		t.Errorf("another passphrase: %v", err)
	}
	if _, err := (vault.Providers{}).Unwrap(t.Context(), "home", w); !errors.Is(err, vault.ErrLocked) {
		t.Errorf("nobody to ask: %v", err)
	}
	if _, err := (vault.Providers{}).Wrap(t.Context(), vault.Keyring, "home", "", data); !errors.Is(err, vault.ErrLocked) {
		t.Errorf("no keyring: %v", err)
	}
	if _, err := p.Wrap(t.Context(), "cloud", "home", "", data); !errors.Is(err, vault.ErrProvider) {
		t.Errorf("no such place: %v", err)
	}
}
