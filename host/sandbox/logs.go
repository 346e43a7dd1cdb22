package sandbox

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities/effect"
)

// maxLine is the longest log line, bytes.
const maxLine = 4 << 10

// logs collects what a guest writes for the operator.
type logs struct {
	limit   int
	used    int
	looked  int // bytes that were looked at, kept or not
	dropped int
	lines   []effect.LogLine
	partial [2][]byte // unfinished lines of standard output and standard error
}

// looksPerByte bounds how much is searched for the ends of lines, by the limit of what is kept: to look
// through a gigabyte takes the host as long as to keep it.
const looksPerByte = 16

// room is the part of p that is looked at; the rest is dropped.
func (l *logs) room(p []byte) []byte {
	n := len(p)
	if l.used >= l.limit {
		n = 0
	}
	n = max(min(n, looksPerByte*l.limit-l.looked), 0)
	l.looked += n
	l.dropped += len(p) - n
	return p[:n]
}

// write takes what the guest wrote to standard output (0) or standard error (1).
func (l *logs) write(stream int, p []byte) {
	p = l.room(p)
	for len(p) > 0 {
		if l.used >= l.limit {
			l.dropped += len(p)
			return
		}
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		part := &l.partial[stream]
		keep := min(len(line), maxLine-len(*part))
		*part = append(*part, line[:keep]...)
		l.dropped += len(line) - keep
		if ended {
			l.flush(stream)
		}
		p = rest
	}
}

// flush ends the unfinished line of a stream.
func (l *logs) flush(stream int) {
	level := [...]effect.LogLevel{effect.Info, effect.Warn}[stream]
	l.add(level, l.partial[stream])
	l.partial[stream] = l.partial[stream][:0]
}

// message takes one message of the log function, which may have several lines.
func (l *logs) message(level effect.LogLevel, p []byte) {
	p = l.room(p)
	for len(p) > 0 {
		if l.used >= l.limit {
			l.dropped += len(p)
			return
		}
		line, rest, _ := bytes.Cut(p, []byte{'\n'})
		keep := min(len(line), maxLine)
		l.dropped += len(line) - keep
		l.add(level, line[:keep])
		p = rest
	}
}

// add keeps one line. An empty one costs a byte too, or a gigabyte of line ends would be free.
func (l *logs) add(level effect.LogLevel, line []byte) {
	if l.used++; len(line) == 0 {
		return
	}
	text := validText(line, maxLine)
	if l.used+len(text) > l.limit {
		l.used = l.limit
		l.dropped += len(line)
		return
	}
	l.used += len(text)
	l.lines = append(l.lines, effect.LogLine{Level: level, Text: text})
}

// validText copies p, at most limit bytes of it, with a replacement character for what is not UTF-8.
func validText(p []byte, limit int) string {
	s := strings.ToValidUTF8(string(p[:min(len(p), limit)]), "\uFFFD")
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
