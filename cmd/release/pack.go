package main

import (
	"archive/tar"
	"archive/zip"
	"compress/flate"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// entry is one file of an archive, or with a mode of a directory one of these.
type entry struct {
	name string // with forward slashes
	from string // where readAll finds data
	mode fs.FileMode
	data []byte
}

// readAll reads the files that entries come from.
func readAll(files []entry) (err error) {
	for i := range files {
		if files[i].data, err = os.ReadFile(files[i].from); err != nil {
			return err
		}
	}
	return nil
}

// under puts entries into a folder, which comes first.
func under(folder string, files []entry) []entry {
	all := []entry{{name: folder, mode: fs.ModeDir | 0o755}}
	for _, f := range files {
		f.name = path.Join(folder, f.name)
		all = append(all, f)
	}
	return all
}

// tarball writes a compressed tar archive in the order of files. All that it says of them is name, mode,
// content and one date: no owner, and none of the times of a machine.
func tarball(w io.Writer, files []entry, date time.Time) error {
	compress, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compress)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: int64(f.mode.Perm()), Size: int64(len(f.data)), ModTime: date, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}
		if f.mode.IsDir() {
			header.Name, header.Typeflag = f.name+"/", tar.TypeDir
		}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("archiving %s: %w", f.name, err)
		}
		if _, err := archive.Write(f.data); err != nil {
			return fmt.Errorf("archiving %s: %w", f.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return compress.Close()
}

// zipped writes a zip archive, as tarball does.
func zipped(w io.Writer, files []entry, date time.Time) error {
	archive := zip.NewWriter(w)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: date}
		header.SetMode(f.mode)
		if f.mode.IsDir() {
			header.Name, header.Method = f.name+"/", zip.Store
		}
		out, err := archive.CreateHeader(header)
		if err == nil {
			_, err = out.Write(f.data)
		}
		if err != nil {
			return fmt.Errorf("archiving %s: %w", f.name, err)
		}
	}
	return archive.Close()
}
