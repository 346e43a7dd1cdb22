package registry

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Entry is one line of the audit. Hash chains it to the one before it.
type Entry struct {
	Seq       uint64          `json:"seq"`
	Time      time.Time       `json:"time"`
	Chain     string          `json:"chain"` // "store" or the id of a process's segment
	Event     string          `json:"event"` // "install", "upgrade", "grant", "revoke", "remove", "config", "secret", "call", "effect", ...
	Principal string          `json:"principal"`
	Space     string          `json:"space"`
	Alias     string          `json:"alias,omitempty"`
	Call      string          `json:"call,omitempty"` // id that ties a call to its effects
	Detail    json.RawMessage `json:"detail,omitempty"`
	Prev      string          `json:"prev"`
	Hash      string          `json:"hash"`
}

// storeChain is the chain of the events that changed state, which are records of the store.
const storeChain = "store"

// maxDetail bounds the detail of an entry, bytes.
const maxDetail = 256 << 10

// check refuses an entry that nobody made, and brings its detail into the one form that is hashed:
// compact JSON on one line, so that no detail can look like a line of its own.
func (e *Entry) check() error {
	if err := checkCaller(capabilities.Caller{Principal: e.Principal, Space: e.Space}); err != nil {
		return err
	}
	for _, part := range [...]struct{ what, text string }{{"alias", e.Alias}, {"call", e.Call}} {
		if part.text != "" {
			if err := checkName(part.what, part.text, 200); err != nil {
				return err
			}
		}
	}
	if err := checkName("event", e.Event, 64); err != nil {
		return err
	}
	if len(e.Detail) > maxDetail {
		return fmt.Errorf("detail is longer than %d bytes", maxDetail)
	}
	if len(e.Detail) == 0 {
		e.Detail = nil
		return nil
	}
	detail, err := strictjson.Compact(e.Detail)
	e.Detail = detail
	return err
}

// link gives the entry its place after the one with the hash prev and returns its encoding.
func (e *Entry) link(chain string, seq uint64, prev string, now time.Time) ([]byte, error) {
	e.Chain, e.Seq, e.Prev = chain, seq, prev
	if e.Time.IsZero() {
		e.Time = now
	}
	e.Time = e.Time.UTC().Round(0)
	content, plain := e.plainContent()
	if !plain {
		var err error
		if content, err = e.content(); err != nil {
			return nil, err
		}
	}
	e.Hash = hashOf(content)
	// Hash comes last: what was hashed is the whole line but for its value.
	const end = `"}`
	line := content[len(contentPrefix) : len(content)-len(end)]
	return append(append(line, e.Hash...), end...), nil
}

// contentPrefix keeps hashes of entries apart from those of anything else.
const contentPrefix = "writ audit entry v1\x00"

// content is everything in the entry but Hash itself, which is empty in it: what the entry says and, in
// Prev, all entries before it.
func (e *Entry) content() ([]byte, error) {
	unhashed := *e
	unhashed.Hash = ""
	encoded, err := strictjson.Encode(&unhashed)
	if err != nil {
		return nil, err
	}
	content := make([]byte, 0, len(contentPrefix)+len(encoded)+hex.EncodedLen(sha256.Size))
	return append(append(content, contentPrefix...), encoded...), nil
}

// plainContent is content of an entry that was checked, or false: nearly all entries are plain, and each
// call has some. Who reads the audit goes by content alone.
func (e *Entry) plainContent() ([]byte, bool) {
	const moreThanTheRest = 512 // bytes: names, hashes, the time
	o := strictjson.NewObject(append(make([]byte, 0, moreThanTheRest+len(e.Detail)), contentPrefix...))
	o.Uint("seq", e.Seq)
	o.Text("time", e.Time.Format(time.RFC3339Nano))
	o.Text("chain", e.Chain)
	o.Text("event", e.Event)
	o.Text("principal", e.Principal)
	o.Text("space", e.Space)
	if e.Alias != "" {
		o.Text("alias", e.Alias)
	}
	if e.Call != "" {
		o.Text("call", e.Call)
	}
	if e.Detail != nil {
		o.Raw("detail", e.Detail)
	}
	o.Text("prev", e.Prev)
	o.Text("hash", "")
	content, plain := o.Bytes()
	// Encode leaves out what is empty, and knows years of four digits alone.
	return content, plain && (e.Detail == nil || len(e.Detail) > len("null")) && e.Time.Year() >= 0 && e.Time.Year() <= 9999
}

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// sum hashes the entry's content.
func (e *Entry) sum() (string, error) {
	content, err := e.content()
	if err != nil {
		return "", err
	}
	return hashOf(content), nil
}

// genesis is the Prev of the first entry of a home's store chain. It depends on the home's key, so
// that entries of another home do not fit.
func (k homeKey) genesis() string {
	public := k.sign.Public().(ed25519.PublicKey)
	return hexDigest(append([]byte("writ audit genesis v1\x00"), public...))
}

// checkpoint is the signed end of a chain: what is before it cannot be cut off or written anew by
// someone who does not have the home's key.
type checkpoint struct {
	Chain  string    `json:"chain"`
	Seq    uint64    `json:"seq"`
	Hash   string    `json:"hash"`
	Origin string    `json:"origin"` // Prev of the chain's first entry
	Time   time.Time `json:"time"`
	Ended  bool      `json:"ended,omitempty"` // of a segment: nothing follows
	Sig    string    `json:"sig"`             // Ed25519, of everything above, strict base64
}

func (c checkpoint) message() ([]byte, error) {
	c.Sig = ""
	encoded, err := strictjson.Encode(c)
	return append([]byte("writ audit checkpoint v1\x00"), encoded...), err
}

func (c *checkpoint) sign(k homeKey) error {
	c.Time = c.Time.UTC().Round(0)
	message, err := c.message()
	if err == nil {
		c.Sig = base64.StdEncoding.EncodeToString(ed25519.Sign(k.sign, message))
	}
	return err
}

func (c checkpoint) verify(k homeKey) error {
	message, err := c.message()
	if err != nil {
		return err
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(c.Sig)
	if err != nil || !ed25519.Verify(k.sign.Public().(ed25519.PublicKey), message, sig) {
		return errors.New("signature does not hold")
	}
	return nil
}

// getCheckpoint returns the end of a chain and the version of its record.
func getCheckpoint(tx Tx, chain string) (checkpoint, uint64, error) {
	var c checkpoint
	version, err := getJSON(tx, KindCheckpoint, chain, &c)
	return c, version, err
}

func putCheckpoint(tx Tx, c checkpoint, k homeKey, version uint64) error {
	if err := c.sign(k); err != nil {
		return err
	}
	return putJSON(tx, KindCheckpoint, c.Chain, c, version)
}

// change is the only way by which the registry changes state for a caller: whatever apply writes and
// the audit entry that tells of it are one transaction, so neither is ever there alone. apply
// returns the entry's detail.
func (r *Registry) change(ctx context.Context, by capabilities.Caller, event, alias string, apply func(Tx) (detail any, err error)) error {
	if err := checkCaller(by); err != nil {
		return err
	}
	if err := checkAlias(alias); err != nil {
		return err
	}
	return r.store.Update(ctx, func(tx Tx) error {
		detail, err := apply(tx)
		if err != nil {
			return err
		}
		encoded, err := strictjson.Encode(detail)
		if err != nil {
			return fmt.Errorf("recording %s of %s: %v", event, alias, err)
		}
		return r.appendEvent(tx, Entry{
			Event: event, Principal: by.Principal, Space: by.Space, Alias: alias, Detail: encoded,
		})
	})
}

// appendEvent adds an entry to the store's chain.
func (r *Registry) appendEvent(tx Tx, e Entry) error {
	if err := e.check(); err != nil {
		return fmt.Errorf("recording %s: %w", e.Event, err)
	}
	end, version, err := getCheckpoint(tx, storeChain)
	if errors.Is(err, ErrNotFound) {
		end = checkpoint{Chain: storeChain, Hash: r.key.genesis(), Origin: r.key.genesis()}
	} else if err != nil {
		return err
	}
	line, err := e.link(storeChain, end.Seq+1, end.Hash, r.now())
	if err != nil {
		return fmt.Errorf("recording %s: %v", e.Event, err)
	}
	if _, err := tx.Put(KindAudit, auditKey(e.Seq), line, 0); err != nil {
		return fmt.Errorf("recording %s: %w", e.Event, err)
	}
	end.Seq, end.Hash, end.Time = e.Seq, e.Hash, e.Time
	return putCheckpoint(tx, end, r.key, version)
}

// auditKey orders records by number.
func auditKey(seq uint64) string { return fmt.Sprintf("%020s", strconv.FormatUint(seq, 10)) }
