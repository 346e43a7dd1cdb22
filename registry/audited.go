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
	Limit int // newest N; all are held in memory at once when it is zero
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
	unflushed := r.calls.flush()
	found := newest{limit: f.Limit}
	take := func(e Entry) {
		if f.match(by.Space, e) {
			found.add(e)
		}
	}
	err := r.store.View(ctx, func(tx Tx) error {
		found.entries = nil
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
	found.sort()
	return found.entries, errors.Join(unreadable...)
}

// newest keeps the newest entries of any number, and never more than twice as many at once: the
// audit is larger than memory has to be.
type newest struct {
	limit   int // zero: all
	entries []Entry
}

func (n *newest) add(e Entry) {
	n.entries = append(n.entries, e)
	if n.limit > 0 && len(n.entries)-n.limit >= n.limit {
		n.sort()
	}
}

// sort puts what is kept in order of time, and drops what is not.
func (n *newest) sort() {
	slices.SortStableFunc(n.entries, func(a, b Entry) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Chain, b.Chain), cmp.Compare(a.Seq, b.Seq))
	})
	if over := len(n.entries) - n.limit; n.limit > 0 && over > 0 {
		n.entries = slices.Delete(n.entries, 0, over) // clears what is dropped, too
	}
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
