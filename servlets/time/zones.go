package main

import (
	_ "embed"
	"slices"
	"strings"
	"time"

	servlet "github.com/writ-run/writ/sdk/go"
)

// names are those of all zones that package time/tzdata has, sorted, one a line.
//
//go:generate go test -run TestNamesAreThoseOfTheDatabase -update .
//go:embed zones.txt
var names string

func load(name string) (*time.Location, error) {
	all := strings.Fields(names)
	if _, known := slices.BinarySearch(all, name); known {
		zone, err := time.LoadLocation(name)
		if err != nil {
			return nil, servlet.Errorf("the zone %s cannot be read: %w", name, err)
		}
		return zone, nil
	}
	if near := nearest(all, name); len(near) > 0 {
		return nil, servlet.Errorf("there is no time zone %q; near it are %s", name, strings.Join(near, ", "))
	}
	return nil, servlet.Errorf("there is no time zone %q: want an IANA name such as Europe/Oslo, America/New_York or UTC", name)
}

// maxNear is how many names are offered for one that does not exist.
const maxNear = 3

// nearest are the zones that somebody may have meant, likeliest first: the same name in another
// spelling, the city alone, a part of the name, or a slip or two of the hand.
func nearest(all []string, name string) []string {
	wanted := plain(name)
	if len(wanted) < 2 || len(wanted) > 64 {
		return nil
	}
	city := wanted[strings.LastIndexByte(wanted, '/')+1:]
	var ranked [4][]string
	for _, n := range all {
		p := plain(n)
		own := p[strings.LastIndexByte(p, '/')+1:]
		switch {
		case p == wanted:
			ranked[0] = append(ranked[0], n)
		case own == city:
			ranked[1] = append(ranked[1], n)
		case len(wanted) > 3 && strings.Contains(p, wanted):
			ranked[2] = append(ranked[2], n)
		case len(city) > 3 && (swapped(own, city) || distance(own, city) <= 1+len(city)/8):
			ranked[3] = append(ranked[3], n)
		}
	}
	for _, near := range ranked { // a worse likeness says nothing beside a better one
		if len(near) > 0 {
			return near[:min(len(near), maxNear)]
		}
	}
	return nil
}

// plain is a name without what people write in different ways.
func plain(name string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// swapped says that b is a with two neighbours exchanged.
func swapped(a, b string) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return len(a) == len(b) && i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		}
	}
	return false
}

// distance is how many letters have to be put in, taken out or changed to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before, row[j+1] = row[j+1], min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
