package toolchain

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// place is one mapping of a source map. Lines and columns count from 1, files index sourceMap.files.
type place struct {
	line, column             int // in the bundle
	file                     int
	sourceLine, sourceColumn int
}

// sourceMap tells where the parts of a bundle were written. rows are ordered by place in the bundle.
type sourceMap struct {
	files []string
	rows  []place
}

// parseSourceMap reads a source map of revision 3 (ECMA-426).
func parseSourceMap(raw []byte) (sourceMap, error) {
	var m struct {
		Sources  []string `json:"sources"`
		Mappings string   `json:"mappings"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return sourceMap{}, fmt.Errorf("reading source map: %w", err)
	}
	out := sourceMap{files: m.Sources}
	at := place{sourceLine: 1, sourceColumn: 1}
	for i, line := range strings.Split(m.Mappings, ";") {
		at.line, at.column = i+1, 1
		for segment := range strings.SplitSeq(line, ",") {
			if segment == "" {
				continue
			}
			values, err := decodeVLQ(segment)
			if err != nil {
				return sourceMap{}, err
			}
			at.column += values[0]
			if len(values) < 4 {
				continue // of no source: what the bundler added
			}
			at.file += values[1]
			at.sourceLine += values[2]
			at.sourceColumn += values[3]
			if at.file < 0 || at.file >= len(out.files) {
				return sourceMap{}, errors.New("reading source map: a mapping is of no file")
			}
			out.rows = append(out.rows, at)
		}
	}
	return out, nil
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// decodeVLQ reads the numbers of one segment.
func decodeVLQ(segment string) (values []int, err error) {
	value, shift := 0, 0
	for i := range len(segment) {
		digit := strings.IndexByte(base64Digits, segment[i])
		if digit < 0 || shift > 30 {
			return nil, errors.New("reading source map: a mapping is malformed")
		}
		value |= (digit & 31) << shift
		if digit&32 != 0 {
			shift += 5
			continue
		}
		if value&1 != 0 {
			values = append(values, -(value >> 1))
		} else {
			values = append(values, value>>1)
		}
		value, shift = 0, 0
	}
	if shift != 0 || len(values) == 0 {
		return nil, errors.New("reading source map: a mapping is cut off")
	}
	return values, nil
}

// find tells where a place of the bundle was written; false: by no author.
func (m sourceMap) find(line, column int) (place, bool) {
	low, high := 0, len(m.rows)
	for low < high {
		middle := (low + high) / 2
		if r := m.rows[middle]; r.line < line || r.line == line && r.column <= column {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low == 0 || m.rows[low-1].line != line {
		return place{}, false
	}
	return m.rows[low-1], true
}
