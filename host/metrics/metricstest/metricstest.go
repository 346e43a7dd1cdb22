// Package metricstest reads the Prometheus text format as a scraper does, for tests of what is served.
package metricstest

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Page is a page that was read.
type Page struct {
	Kinds   map[string]string  // of families, by name
	Samples map[string]float64 // by name and labels as they are written
}

var (
	comment = regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$`)
	sample  = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*",?)+\})? (\S+)$`)
)

// Parse reads a page. It refuses what a scraper would: a line of no known form, a sample without its
// family before it, a family or a sample that is there twice, a histogram whose buckets fall.
func Parse(r io.Reader) (Page, error) {
	p := Page{Kinds: map[string]string{}, Samples: map[string]float64{}}
	family, last := "", map[string]float64{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if m := comment.FindStringSubmatch(line); m != nil {
			if m[1] == "TYPE" {
				if p.Kinds[m[2]] != "" {
					return p, fmt.Errorf("%q is there twice", m[2])
				}
				family, p.Kinds[m[2]] = m[2], m[3]
			}
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			return p, fmt.Errorf("%q is no sample", line)
		}
		name, labels := m[1], m[2]
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return p, fmt.Errorf("%q: %w", line, err)
		}
		suffix := strings.TrimPrefix(name, family)
		histogram := p.Kinds[family] == "histogram"
		if !strings.HasPrefix(name, family) || suffix != "" && !(histogram && (suffix == "_bucket" || suffix == "_sum" || suffix == "_count")) {
			return p, fmt.Errorf("%q stands in the family %q", line, family)
		}
		if _, twice := p.Samples[name+labels]; twice {
			return p, fmt.Errorf("%q is there twice", name+labels)
		}
		p.Samples[name+labels] = value
		if suffix == "_bucket" {
			series := name + labels[:strings.LastIndex(labels, "le=")]
			if value < last[series] {
				return p, fmt.Errorf("%q falls", line)
			}
			last[series] = value
		}
	}
	return p, lines.Err()
}
