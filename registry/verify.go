package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// Report is what VerifyAudit found.
type Report struct {
	Chains  int      `json:"chains"`
	Entries int      `json:"entries"`
	Broken  []string `json:"broken,omitempty"` // one line each: file, line, what
	// Torn names segments without a proper end, whose process was killed or is writing now: no last
	// checkpoint says that nothing followed, or they end in a part of a line. That is no sign of
	// tampering; an entry below a checkpoint is never lost so.
	Torn []string `json:"torn,omitempty"`
}

// VerifyAudit walks every chain and every signed checkpoint: an entry that was edited, deleted, moved
// or cut off below a checkpoint is found, and so is a segment that was deleted as a whole.
//
// What no checkpoint covers yet can be cut off without being found broken. Durable entries get one
// within a second, batched ones within a minute or 1,024 entries, and all of them when their process
// ends in order. A process that was killed leaves at most that window open, and its segment is then
// named in Report.Torn. Segments that this Registry is writing are not.
func (r *Registry) VerifyAudit(ctx context.Context) (Report, error) {
	// The segments are listed, then the store is read, then the segments: what the store knows of may
	// only have grown since. Other processes make segments meanwhile: one that is listed and not known
	// is looked up again, and one that is known and not listed is looked for.
	names, err := r.store.Segments(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("verifying audit: %w", err)
	}
	own := r.calls.chains()
	var v verifier
	err = r.store.View(ctx, func(tx Tx) error {
		v = verifier{key: r.key, hashes: map[string]bool{r.key.genesis(): true}, ends: map[string]checkpoint{}}
		return v.readStore(tx)
	})
	if err != nil {
		return Report{}, fmt.Errorf("verifying audit: %w", err)
	}
	for name := range v.ends {
		if name != storeChain && !slices.Contains(names, name) {
			names = append(names, name) // made after the list was, or missing
		}
	}
	for _, name := range names {
		if err := v.segment(ctx, r, name, slices.Contains(own, name)); err != nil {
			return Report{}, fmt.Errorf("verifying audit: %w", err)
		}
	}
	slices.Sort(v.report.Broken)
	slices.Sort(v.report.Torn)
	return v.report, nil
}

// verifier gathers a report.
type verifier struct {
	key    homeKey
	report Report
	hashes map[string]bool       // of the store's chain: where a segment may begin
	ends   map[string]checkpoint // by chain
}

func (v *verifier) broken(format string, a ...any) {
	v.report.Broken = append(v.report.Broken, fmt.Sprintf(format, a...))
}

func (v *verifier) torn(format string, a ...any) {
	v.report.Torn = append(v.report.Torn, fmt.Sprintf(format, a...))
}

// readStore checks the checkpoints and the store's own chain.
func (v *verifier) readStore(tx Tx) error {
	for rec, err := range tx.Range(KindCheckpoint, "", "") {
		if err != nil {
			return err
		}
		var c checkpoint
		if err := strictjson.Decode(rec.Value, &c); err != nil || c.Chain != rec.Key {
			v.broken("%s checkpoint %.80q cannot be read", storeFile, rec.Key)
			continue
		}
		if err := c.verify(v.key); err != nil {
			v.broken("%s checkpoint %.80q: %v", storeFile, rec.Key, err)
		}
		v.ends[c.Chain] = c
	}
	chain := v.chain(storeChain, v.key.genesis(), storeFile+" audit record %d")
	for rec, err := range tx.Range(KindAudit, "", "") {
		if err != nil {
			return err
		}
		if rec.Key != auditKey(chain.seq+1) {
			v.broken("%s audit record %d: it is missing, %.40q follows", storeFile, chain.seq+1, rec.Key)
		}
		chain.next(rec.Value)
		v.hashes[chain.prev] = true
	}
	chain.finish()
	return nil
}

// segment checks one segment; writing says that this Registry is not done with it.
func (v *verifier) segment(ctx context.Context, r *Registry, name string, writing bool) error {
	end, known := v.ends[name]
	chain := v.chain(name, end.Origin, segmentFile(name)+" line %d")
	torn, err := r.lines(ctx, name, func(_ int, line []byte) error {
		if !known {
			return errUnknownSegment
		}
		chain.next(line)
		return nil
	})
	switch {
	case errors.Is(err, errUnknownSegment):
		return v.unknown(ctx, r, name)
	case errors.Is(err, ErrNotFound):
		v.broken("%s is missing", segmentFile(name))
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		v.broken("%v", err)
	}
	if known && !v.hashes[end.Origin] {
		v.broken("%s: it begins after an event that the store does not have", segmentFile(name))
	}
	chain.finish()
	switch {
	case torn:
		v.torn("%s line %d: it has no end; its process was killed, or is writing it", segmentFile(name), chain.read+1)
	case known && !end.Ended && !writing:
		v.torn("%s line %d: it ended without a checkpoint; its process was killed, or is writing it", segmentFile(name), chain.read)
	}
	return nil
}

var errUnknownSegment = errors.New("the store knows nothing of this segment")

// unknown judges a segment with entries that the store did not know when it was read: a process
// registers its segment before it writes the first one.
func (v *verifier) unknown(ctx context.Context, r *Registry, name string) error {
	v.report.Chains--
	err := r.store.View(ctx, func(tx Tx) error {
		c, _, err := getCheckpoint(tx, name)
		if err == nil {
			err = c.verify(v.key)
		}
		return err
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.broken("%s: %v", segmentFile(name), errUnknownSegment)
	}
	return nil
}

// chainCheck follows one chain.
type chainCheck struct {
	v     *verifier
	name  string
	place string // format of an entry's place
	read  int    // entries looked at
	seq   uint64 // of the last entry
	prev  string // its hash
	bad   bool   // told; what follows would only repeat it
}

func (v *verifier) chain(name, origin, place string) *chainCheck {
	v.report.Chains++
	c := &chainCheck{v: v, name: name, place: place, prev: origin}
	c.atCheckpoint()
	return c
}

func (c *chainCheck) fail(what string) {
	if !c.bad {
		c.v.broken(c.place+": %s", c.read, what)
	}
	c.bad = true
}

// next checks one entry: its form, its own hash, and that it follows the one before.
func (c *chainCheck) next(line []byte) {
	c.read++
	c.v.report.Entries++
	var e Entry
	if err := strictjson.Decode(line, &e); err != nil {
		c.fail("it is not an audit entry")
		return
	}
	again, err := strictjson.Encode(e)
	sum, sumErr := e.sum()
	switch {
	case err != nil || sumErr != nil || sum != e.Hash || !bytes.Equal(again, line):
		c.fail("it was edited: its hash does not hold")
	case e.Chain != c.name:
		c.fail("it is of another chain")
	case e.Seq != c.seq+1:
		c.fail(fmt.Sprintf("it has number %d instead of %d: entries were deleted or moved", e.Seq, c.seq+1))
	case e.Prev != c.prev:
		c.fail("it does not follow the one before: entries were edited or exchanged")
	}
	c.seq, c.prev = e.Seq, e.Hash
	c.atCheckpoint()
}

func (c *chainCheck) atCheckpoint() {
	if end, ok := c.v.ends[c.name]; ok && end.Seq == c.seq && end.Hash != c.prev {
		c.fail("it is not the entry that was signed: the audit was written anew")
	}
}

// finish is called after the last entry.
func (c *chainCheck) finish() {
	end, ok := c.v.ends[c.name]
	switch {
	case !ok && c.seq > 0 && c.name == storeChain:
		c.fail("its checkpoint is missing")
	case ok && c.seq < end.Seq:
		c.fail(fmt.Sprintf("the audit ends here, but %d entries were signed: the rest was cut off", end.Seq))
	case ok && (c.name == storeChain || end.Ended) && c.seq > end.Seq:
		c.fail(fmt.Sprintf("the audit goes on after the signed end %d", end.Seq))
	}
}
