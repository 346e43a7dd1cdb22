package calls

import (
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// span is where a value stands in a file, and the values in it.
type span struct {
	start, end int // bytes; end is 0 for no value
	names      []string
	inner      []span // members, in the order of names, or items
}

func (s span) member(name string) span {
	for i, n := range s.names {
		if n == name {
			return s.inner[i]
		}
	}
	return span{}
}

func (s span) item(i int) span {
	if s.names != nil || i < 0 || i >= len(s.inner) {
		return span{}
	}
	return s.inner[i]
}

// spanOf walks a text that was read as strict JSON before.
func spanOf(raw []byte) span {
	w := walker{raw: raw}
	return w.value()
}

type walker struct {
	raw []byte
	at  int
}

func (w *walker) space() {
	for w.at < len(w.raw) && strings.IndexByte(" \t\r\n,:", w.raw[w.at]) >= 0 {
		w.at++
	}
}

// text passes a string and returns it, read.
func (w *walker) text() string {
	end := strictjson.StringEnd(w.raw, w.at)
	if end <= w.at || end > len(w.raw) {
		end = len(w.raw)
	}
	raw := w.raw[w.at:end]
	w.at = end
	var text string
	if strictjson.Decode(raw, &text) != nil {
		return ""
	}
	return text
}

func (w *walker) value() span {
	w.space()
	s := span{start: w.at}
	if w.at >= len(w.raw) {
		return span{}
	}
	switch w.raw[w.at] {
	case '"':
		w.text()
	case '{', '[':
		object := w.raw[w.at] == '{'
		w.at++
		if object {
			s.names = []string{}
		}
		for w.space(); w.at < len(w.raw) && w.raw[w.at] != '}' && w.raw[w.at] != ']'; w.space() {
			before := w.at
			if object {
				s.names = append(s.names, w.text())
			}
			s.inner = append(s.inner, w.value())
			if w.at == before {
				w.at++ // not JSON: never for ever
			}
		}
		w.at++
	default:
		for w.at < len(w.raw) && strings.IndexByte(" \t\r\n,:]}", w.raw[w.at]) < 0 {
			w.at++
		}
	}
	s.end = min(w.at, len(w.raw))
	return s
}

// lineOfError finds the line of what a strict reader complains of: `... at "/pointer"` or at an offset.
func lineOfError(raw []byte, message string) int {
	_, quoted, found := strings.Cut(message, " at ")
	if !found {
		return 1
	}
	pointer, err := strconv.Unquote(strings.TrimSuffix(quoted, "..."))
	if err != nil {
		return 1
	}
	at := spanOf(raw)
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		next := at.member(step)
		if i, err := strconv.Atoi(step); err == nil && next.end == 0 {
			next = at.item(i)
		}
		if next.end == 0 {
			break
		}
		at = next
	}
	return 1 + strings.Count(string(raw[:min(at.start, len(raw))]), "\n")
}
