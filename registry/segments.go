package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

const segmentSuffix = ".jsonl"

var segmentForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

func (s *boltStore) segmentPath(name string) (string, error) {
	if !segmentForm.MatchString(name) {
		return "", fmt.Errorf("%+.80q is not the name of a segment", name)
	}
	return s.home.file(auditFolder, name+segmentSuffix), nil
}

// CreateSegment implements Store.
func (s *boltStore) CreateSegment(_ context.Context, name string) (Segment, error) {
	path, err := s.segmentPath(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("segment %s: %w", name, ErrExists)
	case isReadOnly(err):
		return nil, fmt.Errorf("making %s: %w", path, ErrReadOnly)
	default:
		return nil, fmt.Errorf("making segment: %v", err)
	}
	if err := syncFolder(s.home.file(auditFolder)); err != nil {
		f.Close()
		return nil, fmt.Errorf("making segment: %v", err)
	}
	return f, nil
}

// OpenSegment implements Store.
func (s *boltStore) OpenSegment(_ context.Context, name string) (io.ReadCloser, error) {
	path, err := s.segmentPath(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("segment %s: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("reading segment: %v", err)
	}
	return f, nil
}

// Segments implements Store.
func (s *boltStore) Segments(context.Context) ([]string, error) {
	var out []string
	err := s.eachSegment(func(name string, _ fs.DirEntry) error {
		out = append(out, name)
		return nil
	})
	return out, err
}

// SegmentBytes implements Store.
func (s *boltStore) SegmentBytes(context.Context) (int64, error) {
	var total int64
	err := s.eachSegment(func(_ string, file fs.DirEntry) error {
		info, err := file.Info()
		if errors.Is(err, fs.ErrNotExist) { // archived meanwhile
			return nil
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

func (s *boltStore) eachSegment(each func(name string, file fs.DirEntry) error) error {
	entries, err := os.ReadDir(s.home.file(auditFolder))
	if err != nil {
		return fmt.Errorf("listing segments: %v", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok || !segmentForm.MatchString(name) {
			continue
		}
		if err := each(name, e); err != nil {
			return fmt.Errorf("listing segments: %v", err)
		}
	}
	return nil
}
