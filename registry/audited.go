package registry

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Filter narrows Audit; zero fields match all.
type Filter struct {
	Since time.Time
	Alias string
	Event string
	Call  string
	Limit int // newest N
}

func (f Filter) match(space string, e Entry) bool {
	return e.Space == space && !e.Time.Before(f.Since) &&
		(f.Alias == "" || e.Alias == f.Alias) &&
		(f.Event == "" || e.Event == f.Event) &&
		(f.Call == "" || e.Call == f.Call)
}

// Audit returns entries of the caller's space, oldest first: those of the store and of every
// process's segment, this one's up to the last Record. It returns what can be read together with an
// error that names what cannot; whether entries were changed is for VerifyAudit to say.
func (r *Registry) Audit(ctx context.Context, by capabilities.Caller, f Filter) ([]Entry, error) {
	if err := checkCaller(by); err != nil {
		return nil, err
	}
	_, unflushed := r.calls.flush()
	var out []Entry
	take := func(e Entry) {
		if f.match(by.Space, e) {
			out = append(out, e)
		}
	}
	err := r.store.View(ctx, func(tx Tx) error {
		out = nil
		for rec, err := range tx.Range(KindAudit, "", "") {
			if err != nil {
				return err
			}
			var e Entry
			if err := strictjson.Decode(rec.Value, &e); err != nil {
				return fmt.Errorf("reading audit record %s: %v", rec.Key, err)
			}
			take(e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	names, err := r.store.Segments(ctx)
	unreadable := []error{unflushed, err}
	for _, name := range names {
		unreadable = append(unreadable, r.readSegment(ctx, name, take))
	}
	slices.SortStableFunc(out, func(a, b Entry) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Chain, b.Chain), cmp.Compare(a.Seq, b.Seq))
	})
	if f.Limit > 0 && len(out) > f.Limit {
		out = out[len(out)-f.Limit:]
	}
	return out, errors.Join(unreadable...)
}

// readSegment hands on the entries of a segment. A last line without an end is not one: a process is
// writing it, or was killed while it did.
func (r *Registry) readSegment(ctx context.Context, name string, take func(Entry)) error {
	_, err := r.lines(ctx, name, func(number int, line []byte) error {
		var e Entry
		if err := strictjson.Decode(line, &e); err != nil {
			return fmt.Errorf("%s line %d is not an audit entry (%v); run: writ audit verify", segmentFile(name), number, err)
		}
		take(e)
		return nil
	})
	return err
}

// maxLine is more than any entry needs.
const maxLine = maxDetail + 16<<10

// lines calls each for every whole line of a segment, from 1, and says whether a part of a line
// follows the last one.
func (r *Registry) lines(ctx context.Context, name string, each func(number int, line []byte) error) (torn bool, err error) {
	f, err := r.store.OpenSegment(ctx, name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, maxLine)
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		line, err := in.ReadSlice('\n')
		switch {
		case err == io.EOF:
			return len(line) > 0, nil
		case err == bufio.ErrBufferFull:
			return false, fmt.Errorf("%s line %d is longer than any entry", segmentFile(name), number)
		case err != nil:
			return false, fmt.Errorf("reading segment: %v", err)
		}
		if err := each(number, bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return false, err
		}
	}
}

// segmentFile is how a segment is named to a person.
func segmentFile(name string) string { return auditFolder + "/" + name + segmentSuffix }
