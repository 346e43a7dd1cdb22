// Runner runs rows of the attack table against the product that it is linked with, one after the other, and reports
// each as a line of JSON. The driver (testdata/hostile) builds it once as the product is and once for each mutant.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/table"
	"github.com/writ-run/writ/testdata/hostile/target"
)

func main() {
	names := flag.String("rows", "", "ids of the rows to run, with commas; empty: all")
	group := flag.String("group", "", "letter of the group to run; empty: all")
	thorough := flag.Bool("thorough", false, "run slow rows and the variants that take long")
	first := flag.Bool("first", false, "end each row at its first hit")
	asJSON := flag.Bool("json", false, "report each row as a line of JSON, when it begins and when it ended")
	flag.Parse()
	hits, err := run(os.Stdout, choose(*names, *group, *thorough), attack.Report{Thorough: *thorough, First: *first}, *asJSON)
	if err == nil {
		err = target.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "runner:", err)
		os.Exit(2)
	}
	if hits > 0 {
		os.Exit(1)
	}
}

// choose picks rows in the order of the table.
func choose(names, group string, slow bool) (rows []attack.Row) {
	wanted := strings.FieldsFunc(names, func(c rune) bool { return c == ',' })
	for _, row := range table.Rows() {
		named := slices.Contains(wanted, row.ID)
		if named || names == "" && strings.HasPrefix(row.ID, group) && (slow || !row.Slow) {
			rows = append(rows, row)
		}
	}
	return rows
}

func run(out *os.File, rows []attack.Row, asked attack.Report, asJSON bool) (hits int, err error) {
	encode := json.NewEncoder(out)
	for _, row := range rows {
		if asJSON {
			if err := encode.Encode(table.Line{ID: row.ID}); err != nil {
				return hits, err
			}
		}
		began := time.Now()
		found := row.Fill(asked)
		hits += len(found.Hits)
		line := table.Line{ID: row.ID, Ended: true, Report: found, Millis: time.Since(began).Milliseconds()}
		if asJSON {
			err = encode.Encode(line)
		} else {
			_, err = fmt.Fprintf(out, "%-4s %6d variants %4d hits %3d skips %6d ms  %s\n", row.ID, found.Variants, len(found.Hits), len(found.Skips), line.Millis, row.Title)
			for _, h := range found.Hits[:min(len(found.Hits), 20)] {
				fmt.Fprintf(out, "     HIT  %s\n", h)
			}
			for _, s := range found.Skips {
				fmt.Fprintf(out, "     skip %s\n", s)
			}
		}
		if err != nil {
			return hits, err
		}
	}
	return hits, nil
}
