package codecache

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Held is a file that can be read as often as one likes, also after it was dropped from the folder.
type Held struct{ file *os.File }

// Hold opens what was put under a name. It is an error where a file that is open cannot be dropped: there
// it would be in the way of Trim and Forget.
func (f *Folder) Hold(name string) (*Held, error) {
	if !canDropOpenFiles {
		return nil, fmt.Errorf("holding code cache file: this system does not drop open files")
	}
	file, err := os.Open(filepath.Join(f.dir, name))
	if err != nil {
		return nil, fmt.Errorf("holding code cache file: %w", err)
	}
	return &Held{file}, nil
}

// Get returns the file's content; nil: it is not what was put. Several goroutines may call it.
func (h *Held) Get() []byte {
	info, err := h.file.Stat()
	if err != nil {
		return nil
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(io.NewSectionReader(h.file, 0, info.Size()), data); err != nil {
		return nil
	}
	return whole(data)
}

// Close lets go of the file.
func (h *Held) Close() error {
	if err := h.file.Close(); err != nil {
		return fmt.Errorf("closing code cache file: %w", err)
	}
	return nil
}
