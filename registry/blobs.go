package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// blobPath refuses whatever is not a digest: the name becomes part of a path.
func (s *boltStore) blobPath(digest string) (string, error) {
	if !isDigest(digest) {
		return "", fmt.Errorf("%.80q is not a SHA-256 in lower-case hex", digest)
	}
	return s.home.file(blobFolder, digest), nil
}

func isDigest(s string) bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func hexDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// PutBlob implements Store.
func (s *boltStore) PutBlob(ctx context.Context, digest string, blob []byte) error {
	if _, err := s.blobPath(digest); err != nil {
		return err
	}
	if hexDigest(blob) != digest {
		return fmt.Errorf("storing blob: the bytes do not have the digest %s", digest)
	}
	if s.home.readOnly {
		return fmt.Errorf("storing blob in %s: %w", s.home.path, ErrReadOnly)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := s.Blob(ctx, digest); err == nil {
		// Who wrote it may have been killed before its name was safe.
		if err := syncFolder(s.home.file(blobFolder)); err != nil {
			return fmt.Errorf("storing blob: %v", err)
		}
		return nil
	}
	if err := s.home.writeFile(blob, blobFolder, digest); err != nil {
		if isReadOnly(err) {
			return fmt.Errorf("storing blob in %s: %w", s.home.path, ErrReadOnly)
		}
		return fmt.Errorf("storing blob: %v", err)
	}
	return nil
}

// Blob implements Store.
func (s *boltStore) Blob(ctx context.Context, digest string) ([]byte, error) {
	path, err := s.blobPath(digest)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	blob, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("servlet file %s: %w", path, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("reading servlet file: %v", err)
	}
	if hexDigest(blob) != digest {
		return nil, fmt.Errorf("%w: servlet file %s is not what was installed; remove the servlet and install it again", ErrDamaged, path)
	}
	return blob, nil
}

// OpenBlob implements Store.
func (s *boltStore) OpenBlob(ctx context.Context, digest string) (BlobReader, error) {
	path, err := s.blobPath(digest)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("servlet file %s: %w", path, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("reading servlet file: %v", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("reading servlet file: %v", err)
	}
	return &blobFile{f, info.Size()}, nil
}

// blobFile is an open blob; its size is that of when it was opened.
type blobFile struct {
	*os.File
	size int64
}

// Size implements BlobReader.
func (f *blobFile) Size() int64 { return f.size }

// Blobs implements Store.
func (s *boltStore) Blobs(context.Context) ([]string, error) {
	entries, err := os.ReadDir(s.home.file(blobFolder))
	if err != nil {
		return nil, fmt.Errorf("listing servlet files: %v", err)
	}
	var out []string
	for _, e := range entries {
		if isDigest(e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// KeepBlob implements Tx. Blobs are dropped under the lock that every transaction holds, so one that
// is there now is there until the commit.
func (t *boltTx) KeepBlob(digest string) error {
	path, err := t.store.blobPath(digest)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("servlet file %s: %w", path, ErrNotFound)
	} else if err != nil {
		return fmt.Errorf("reading servlet file: %v", err)
	}
	return nil
}

// DropBlob implements Tx.
func (t *boltTx) DropBlob(digest string) error {
	if _, err := t.store.blobPath(digest); err != nil {
		return err
	}
	if !t.writable {
		return errView
	}
	t.dropped = append(t.dropped, digest)
	return nil
}

// removeDropped deletes the files once the commit is safe. One that stays, because the process is
// killed here or the folder refuses, is an orphan that the next Open drops.
func (t *boltTx) removeDropped() {
	for _, digest := range t.dropped {
		if path, err := t.store.blobPath(digest); err == nil {
			os.Remove(path)
		}
	}
}
