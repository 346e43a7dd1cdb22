package toolchain

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// importsOf reads which of the author's files import which, each list in the order of the source.
func importsOf(metafile string) (map[string][]string, error) {
	var m struct {
		Inputs map[string]struct {
			Imports []struct{ Path string }
		}
	}
	if err := json.Unmarshal([]byte(metafile), &m); err != nil {
		return nil, fmt.Errorf("reading what the bundle is made of: %w", err)
	}
	imports := map[string][]string{}
	for name, in := range m.Inputs {
		for _, to := range in.Imports {
			if (frame{file: to.Path}).own() {
				imports[name] = append(imports[name], to.Path)
			}
		}
	}
	return imports, nil
}

// cycle is the shortest way from a file over what it imports back to itself, both ends included; nil:
// there is none.
func cycle(imports map[string][]string, file string) []string {
	from := map[string]string{}
	for queue := []string{file}; len(queue) > 0; queue = queue[1:] {
		for _, to := range imports[queue[0]] {
			if to == file {
				way := []string{file}
				for at := queue[0]; at != file; at = from[at] {
					way = append(way, at)
				}
				way = append(way, file)
				slices.Reverse(way)
				return way
			}
			if _, known := from[to]; !known {
				from[to] = queue[0]
				queue = append(queue, to)
			}
		}
	}
	return nil
}

// missingValue matches what the engine says of a value that is not there yet.
var missingValue = regexp.MustCompile(`^(TypeError|ReferenceError): .*(undefined|not a function|not initialized|must be a? ?constructor)`)

// explainCycle says that a value may be missing because files import each other; "": it is not.
func (b bundled) explainCycle(file, message string) string {
	way := cycle(b.imports, file)
	if way == nil || !missingValue.MatchString(message) {
		return ""
	}
	if more := len(way) - 6; more > 0 {
		way = append(append(slices.Clone(way[:4]), fmt.Sprintf("%d more", more+1)), file)
	}
	last := len(way) - 1
	return capabilities.Printable(fmt.Sprintf(" (%s and %s again import each other: what one has at its top level the next may not have yet)",
		strings.Join(way[:last], ", "), way[last]), 600)
}
