package registry

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Spaces returns the names of the spaces that hold a servlet, or settings and data that one left, sorted. Only the
// operator may see beyond a space.
func (r *Registry) Spaces(ctx context.Context, by capabilities.Caller) ([]string, error) {
	if err := checkCaller(by); err != nil {
		return nil, err
	}
	if !by.IsOperator() {
		return nil, ErrOperator
	}
	found := map[string]bool{}
	err := r.store.View(ctx, func(tx Tx) error {
		for _, kind := range []Kind{KindInstallation, KindConfig, KindKVStore} {
			for rec, err := range tx.Range(kind, "", "") {
				if err != nil {
					return err
				}
				space, _, _ := strings.Cut(rec.Key, "\x00")
				found[space] = true
			}
		}
		return nil
	})
	return slices.Sorted(maps.Keys(found)), err
}

// Alias names an installation among those of all spaces.
type Alias struct{ Space, Alias string }

// LastCalls says when each servlet of each space was called last, as the audit tells: a call writes
// nothing for it that it would not write anyway, and asking reads the whole audit. What can be read is
// returned together with an error that names what cannot.
func (r *Registry) LastCalls(ctx context.Context, by capabilities.Caller) (map[Alias]time.Time, error) {
	if err := checkCaller(by); err != nil {
		return nil, err
	}
	if !by.IsOperator() {
		return nil, ErrOperator
	}
	last := map[Alias]time.Time{}
	unreadable := []error{r.calls.flush()}
	names, err := r.store.Segments(ctx)
	unreadable = append(unreadable, err)
	for _, name := range names {
		_, err := r.lines(ctx, name, func(_ int, line []byte) error {
			// Decoding costs most; quotation marks inside of a detail's text would be escaped.
			if !bytes.Contains(line, []byte(`"event":"call"`)) {
				return nil
			}
			var e Entry
			if err := strictjson.Decode(line, &e); err != nil || e.Event != "call" {
				return nil // a damaged line is for VerifyAudit to tell
			}
			if at := (Alias{e.Space, e.Alias}); e.Time.After(last[at]) {
				last[at] = e.Time
			}
			return nil
		})
		unreadable = append(unreadable, err)
	}
	return last, errors.Join(unreadable...)
}
