package builtin

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Packed is a servlet file that is to be put into a set.
type Packed struct {
	Name    string
	Version string
	File    []byte
}

// Pack returns the files of a set, by name: what Open reads. Equal input gives equal bytes. probe is
// the demonstration's; a zero one leaves it out.
func Pack(servlets []Packed, probe Packed) (map[string][]byte, error) {
	var index Index
	files := map[string][]byte{}
	for _, p := range servlets {
		entry, err := p.into(files)
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", p.Name, err)
		}
		index.Servlets = append(index.Servlets, entry)
	}
	if probe.Name != "" {
		entry, err := probe.into(files)
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", probe.Name, err)
		}
		index.Probe = entry
	}
	if err := index.check(); err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	text, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	files[IndexFile] = append(text, '\n')
	return files, nil
}

// into compresses the file. The gzip header has neither a name nor a time.
func (p Packed) into(files map[string][]byte) (Servlet, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return Servlet{}, err
	}
	if _, err := w.Write(p.File); err != nil {
		return Servlet{}, err
	}
	if err := w.Close(); err != nil {
		return Servlet{}, err
	}
	files[p.Name+FileTail] = b.Bytes()
	sum := sha256.Sum256(p.File)
	return Servlet{Name: p.Name, Version: p.Version, SHA256: hex.EncodeToString(sum[:])}, nil
}
