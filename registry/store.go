package registry

import (
	"context"
	"io"
	"iter"
)

// Store keeps a registry's state: records in transactions, blobs by digest, and the lines of call
// events. Its methods may be used by many goroutines, and its data by many processes, at once.
// registrytest.Conform is the suite that every implementation passes.
type Store interface {
	// View runs read with a consistent view of the records.
	View(ctx context.Context, read func(Tx) error) error

	// Update runs change and commits what it wrote, or nothing when it returns an error. All updates
	// of all processes happen one after the other. change may be run again when an implementation
	// lost a race, so it has no effect of its own outside of tx.
	//
	// When Update returns nil, what was written is on stable storage and Generation has changed.
	Update(ctx context.Context, change func(Tx) error) error

	// Generation differs after every Update that wrote anything but checkpoints, uses of keys and what servlets
	// keep, by any process. It is not settled while such an update is under way, or was cut short with unknown outcome: then
	// nothing may be answered from memory.
	Generation() (generation uint64, settled bool)

	// PutBlob stores bytes under their hex SHA-256 and returns when they are on stable storage. It
	// refuses bytes of another digest. A blob that no transaction keeps may be dropped by another.
	PutBlob(ctx context.Context, digest string, blob []byte) error
	// Blob returns the bytes of a blob, hashed again: ErrNotFound, or ErrDamaged when they differ.
	Blob(ctx context.Context, digest string) ([]byte, error)
	// OpenBlob opens a blob to read parts of it, or ErrNotFound. Nothing of it is hashed: what it says
	// has to be proven by something else.
	OpenBlob(ctx context.Context, digest string) (BlobReader, error)
	// Blobs lists the digests of all blobs, kept or not, sorted.
	Blobs(ctx context.Context) ([]string, error)

	// CreateSegment makes an empty segment of call events. ErrExists when there is one of that name.
	CreateSegment(ctx context.Context, name string) (Segment, error)
	// OpenSegment reads what was appended so far: ErrNotFound when there is none.
	OpenSegment(ctx context.Context, name string) (io.ReadCloser, error)
	// Segments lists the names of all segments, sorted.
	Segments(ctx context.Context) ([]string, error)
	// SegmentBytes is the size of all segments together.
	SegmentBytes(ctx context.Context) (int64, error)

	// Close frees what the store holds. It is called after everything else.
	Close() error
}

// Segment is a growing run of call events that one process writes.
type Segment interface {
	// Write appends lines. A short write is continued by the next one where it ended.
	io.Writer
	// Sync returns when everything written is on stable storage.
	Sync() error
	// Close ends writing; it does not sync.
	Close() error
}

// BlobReader is an open blob of Size bytes.
type BlobReader interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// Tx reads and writes records inside one transaction, and is of no use after it. What it returns
// is the caller's to keep.
type Tx interface {
	// Get returns a record, or ErrNotFound.
	Get(kind Kind, key string) (Record, error)

	// Put writes a record whose version is still the given one, 0 for a record that must not exist
	// yet, and returns the new version. ErrConflict when the version is another. Versions are never
	// used twice within a kind, so that a record that was deleted and made again is another.
	Put(kind Kind, key string, value []byte, version uint64) (uint64, error)

	// Delete removes a record whose version is still the given one, else ErrConflict or ErrNotFound.
	Delete(kind Kind, key string, version uint64) error

	// Range yields the records with from <= key < to in the byte order of their keys; an empty to is
	// the end. It ends with the first error. The kind must not be written to while it runs.
	Range(kind Kind, from, to string) iter.Seq2[Record, error]

	// KeepBlob confirms that a blob is there: ErrNotFound when it was dropped since PutBlob. What
	// was confirmed stays at least until another transaction drops it.
	KeepBlob(digest string) error
	// DropBlob deletes a blob together with the commit; one that is not there is no error.
	DropBlob(digest string) error
}

// Record is one record as read.
type Record struct {
	Key     string // 1 to 1,024 bytes
	Version uint64
	Value   []byte
}

// Kind names a family of records. A store knows exactly the kinds listed here: another one is the
// mark of a newer Writ or of damage.
type Kind string

// The kinds of records.
const (
	KindInstallation Kind = "installation" // by space and alias
	KindConfig       Kind = "config"       // by space and alias
	KindPublisher    Kind = "publisher"    // by key id
	KindName         Kind = "name"         // by servlet name: the publisher it is pinned to
	KindAudit        Kind = "audit"        // by number: events that changed state
	KindCheckpoint   Kind = "checkpoint"   // by chain: signed end of a chain of audit entries
	KindSecret       Kind = "secret"       // by owner, alias and key: encrypted
	KindVault        Kind = "vault"        // one: the wrapped key of the secrets, and which are current
	KindKey          Kind = "key"          // by id: access keys, of which only hashes are kept
	KindKeyUse       Kind = "keyuse"       // by id: when an access key was used last
	KindKVStore      Kind = "kvstore"      // by owner, alias and servlet: what a servlet keeps between calls
	KindKV           Kind = "kv"           // by id of that and key: the values
)

// Kinds lists every kind of record.
func Kinds() []Kind {
	return []Kind{KindInstallation, KindConfig, KindPublisher, KindName, KindAudit, KindCheckpoint, KindSecret, KindVault, KindKey, KindKeyUse, KindKVStore, KindKV}
}

// Limits of a record.
const (
	maxKey   = 1024
	maxValue = 8 << 20
)
