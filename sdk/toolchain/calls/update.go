package calls

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// edit replaces bytes of a file.
type edit struct {
	start, end int
	text       string
}

// Update returns the file with what came in place of what was wanted, and the calls of which it could not write
// all: patterns and parts are their author's. found has the differences of each call, by index. Everything
// else of the file stays as it was written.
func (f *File) Update(found map[int][]Difference) (raw []byte, left map[int]bool, err error) {
	var edits []edit
	left = map[int]bool{}
	for call, all := range found {
		at := f.spans.member("calls").item(call)
		var added []string
		for _, d := range all {
			e, insert, ok := f.edit(at, d)
			switch {
			case !ok:
				left[call] = true
			case insert != "":
				added = append(added, insert)
			default:
				edits = append(edits, e)
			}
		}
		if len(added) > 0 && len(at.inner) > 0 {
			last := at.inner[len(at.inner)-1].end
			edits = append(edits, edit{last, last, f.separator(at) + strings.Join(added, f.separator(at))})
		}
	}
	slices.SortFunc(edits, func(a, b edit) int { return b.start - a.start })
	raw = bytes.Clone(f.raw)
	for _, e := range edits {
		raw = slices.Replace(raw, e.start, e.end, []byte(e.text)...)
	}
	if _, err := strictjson.Compact(raw); err != nil {
		return nil, nil, fmt.Errorf("updating %s: %w", f.Name, err)
	}
	return raw, left, nil
}

// edit is how one difference is written: in the place of a value, or as a member to add.
func (f *File) edit(call span, d Difference) (e edit, insert string, ok bool) {
	if d.now == nil || d.Member == "" {
		return edit{}, "", false
	}
	if d.Member != "folders" {
		if is := call.member(d.Member); is.end > 0 {
			return edit{is.start, is.end, f.written(is.start, d.now)}, "", true
		}
		return edit{}, fmt.Sprintf("%q: %s", d.Member, f.written(call.inner[0].start, d.now)), true
	}
	var ends map[string]json.RawMessage
	if json.Unmarshal(d.now, &ends) != nil {
		return edit{}, "", false
	}
	for id, after := range ends {
		folder := call.member("folders").member(id)
		if end := folder.member("end"); end.end > 0 {
			return edit{end.start, end.end, f.written(end.start, after)}, "", true
		}
		if len(folder.inner) > 0 {
			last := folder.inner[len(folder.inner)-1].end
			return edit{last, last, f.separator(folder) + `"end": ` + f.written(folder.start, after)}, "", true
		}
	}
	return edit{}, "", false
}

// separator is what stands between two members of an object, as its author wrote it.
func (f *File) separator(object span) string {
	if inner := strings.IndexByte(string(f.raw[object.start:object.end]), '\n'); inner < 0 {
		return ", "
	}
	return ",\n" + f.margin(object.inner[len(object.inner)-1].start)
}

// margin is the space before the first word of the line that has a place.
func (f *File) margin(at int) string {
	line := f.raw[bytes.LastIndexByte(f.raw[:at], '\n')+1:]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// maxShort is the longest value that is written on one line, in bytes.
const maxShort = 100

func (f *File) written(at int, value json.RawMessage) string {
	if value[0] != '{' && value[0] != '[' || len(value) <= maxShort {
		return string(value)
	}
	var out bytes.Buffer
	if json.Indent(&out, value, f.margin(at), "  ") != nil {
		return string(value)
	}
	return out.String()
}
