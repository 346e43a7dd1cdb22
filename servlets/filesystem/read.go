package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	servlet "github.com/writ-run/writ/sdk/go"
)

// Most that one answer carries, before base64 and escapes. The result_kb of servlet.toml leaves room
// for these.
const (
	maxText  = 512 << 10 // bytes
	maxMedia = 2 << 20   // bytes
)

type readInput struct {
	Path string `json:"path" description:"The file, such as /docs/notes.md or notes.md"`
	Head int    `json:"head,omitempty" min:"1" description:"Read only this many lines from the start"`
	Tail int    `json:"tail,omitempty" min:"1" description:"Read only this many lines from the end"`
}

func readTextFile(_ context.Context, in readInput) (string, error) {
	if in.Head > 0 && in.Tail > 0 {
		return "", errors.New("give head or tail, not both")
	}
	p, err := docs.locate(in.Path)
	if err != nil {
		return "", err
	}
	f, size, err := openFile(p)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var raw []byte
	switch {
	case in.Head > 0:
		raw, err = headLines(f, in.Head)
	case in.Tail > 0:
		raw, err = tailLines(f, size, in.Tail)
	case size > maxText:
		return "", servlet.Errorf("%s has %s and one answer carries %s: read a part with head or tail", p.shown, sizeText(size), sizeText(maxText))
	default:
		raw, err = io.ReadAll(io.LimitReader(f, maxText+1))
	}
	if err != nil {
		return "", docs.explain(err, p)
	}
	if len(raw) > maxText {
		return "", servlet.Errorf("these lines of %s have more than the %s that one answer carries: ask for fewer", p.shown, sizeText(maxText))
	}
	return textOf(raw, p)
}

// openFile opens a regular file.
func openFile(p place) (*os.File, int64, error) {
	f, err := os.Open(p.real)
	if err != nil {
		return nil, 0, docs.explain(err, p)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = servlet.Errorf("%s is a directory; list_directory lists it", p.shown)
	} else if err != nil {
		err = docs.explain(err, p)
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// textOf refuses what a model would only see as noise.
func textOf(raw []byte, p place) (string, error) {
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	switch {
	case bytes.HasPrefix(raw, []byte("\xff\xfe")), bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return "", servlet.Errorf("%s is UTF-16 text, which is not supported: convert it to UTF-8", p.shown)
	case bytes.IndexByte(raw, 0) >= 0 || !utf8.Valid(raw):
		return "", servlet.Errorf("%s is not a text file; read_media_file reads it as it is", p.shown)
	}
	return string(raw), nil
}

// headLines reads the first n lines, or a little more than maxText.
func headLines(r io.Reader, n int) ([]byte, error) {
	lines := bufio.NewReader(io.LimitReader(r, maxText+1))
	var out []byte
	for range n {
		line, err := lines.ReadSlice('\n')
		out = append(out, line...)
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = lines.ReadSlice('\n')
			out = append(out, line...)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tailLines reads the last n lines, or a little more than maxText, from the end backwards.
func tailLines(r io.ReaderAt, size int64, n int) ([]byte, error) {
	const step = 16 << 10
	var tail []byte
	for end := size; end > 0 && len(tail) <= maxText; {
		start := max(end-step, 0)
		chunk := make([]byte, end-start)
		read, err := r.ReadAt(chunk, start)
		if err != nil && err != io.EOF {
			return nil, err
		}
		tail = append(chunk[:read], tail...)
		end = start
		if from, ok := lastLines(tail, n); ok {
			return tail[from:], nil
		}
	}
	return tail, nil
}

// lastLines finds where the last n lines of b begin, if b has the line break before them. A line break at
// the very end ends the last line and begins none.
func lastLines(b []byte, n int) (int, bool) {
	end := len(b)
	if end > 0 && b[end-1] == '\n' {
		end--
	}
	for ; n > 0; n-- {
		end = bytes.LastIndexByte(b[:end], '\n')
		if end < 0 {
			return 0, false
		}
	}
	return end + 1, true
}

type pathInput struct {
	Path string `json:"path" description:"The file, such as /docs/notes.md or notes.md"`
}

// mediaTypes are the types that a model can see or hear, by file extension.
var mediaTypes = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
	".bmp": "image/bmp", ".svg": "image/svg+xml", ".avif": "image/avif",
	".mp3": "audio/mpeg", ".wav": "audio/wav", ".ogg": "audio/ogg", ".flac": "audio/flac", ".m4a": "audio/mp4",
}

func readMediaFile(_ context.Context, in pathInput) (servlet.Result, error) {
	p, err := docs.locate(in.Path)
	if err != nil {
		return servlet.Result{}, err
	}
	f, size, err := openFile(p)
	if err != nil {
		return servlet.Result{}, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxMedia+1))
	if err != nil {
		return servlet.Result{}, docs.explain(err, p)
	}
	if len(raw) > maxMedia {
		return servlet.Result{}, servlet.Errorf("%s has %s and one answer carries %s", p.shown, sizeText(size), sizeText(maxMedia))
	}
	mime := mediaTypes[strings.ToLower(path.Ext(p.real))]
	switch {
	case strings.HasPrefix(mime, "image/"):
		return servlet.Image(mime, raw), nil
	case strings.HasPrefix(mime, "audio/"):
		return servlet.Blocks(servlet.AudioBlock(mime, raw)), nil
	}
	return servlet.Blocks(servlet.ResourceBlock(servlet.Resource{
		URI: "file://" + p.shown, MIMEType: "application/octet-stream", Blob: slices.Clip(raw),
	})), nil
}

type readManyInput struct {
	Paths []string `json:"paths" min:"1" max:"100" description:"The files, each as for read_text_file"`
}

func readMultipleFiles(ctx context.Context, in readManyInput) (string, error) {
	var parts []string
	left := maxText
	for i, name := range in.Paths {
		servlet.Progress(float64(i), float64(len(in.Paths)), name)
		text, err := readTextFile(ctx, readInput{Path: name})
		switch {
		case err != nil:
			parts = append(parts, name+": Error - "+err.Error())
		case len(text) > left:
			parts = append(parts, name+": Error - one answer carries "+sizeText(maxText)+": read this file by itself")
		default:
			left -= len(text)
			parts = append(parts, name+":\n"+text)
		}
	}
	return strings.Join(parts, "\n---\n"), nil
}
