// Command hostile carries out the attack table (make attacks): every row against the product as it is, and again against
// each mutant, which is the product without one named rule. A row is worth something only if it turns red when a rule
// that it lists is gone, and a rule is told apart from its neighbours only if no other row does.
//
// It prints a line for each row and exits with 1 when an attack was not stopped, a mutant stays green, a row turns red
// that does not list the mutant, or fewer attacks ran than testdata/hostile/minimum.txt wants.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/mutant"
	"github.com/writ-run/writ/testdata/hostile/table"
)

func main() {
	var cfg config
	flag.StringVar(&cfg.root, "root", ".", "root of the project")
	flag.StringVar(&cfg.rows, "rows", "", "ids of the rows to run, with commas; empty: all, and the minimum is checked")
	flag.StringVar(&cfg.mutants, "mutants", "", "ids of the mutants to try, with commas; empty: all that a row lists; none: none")
	flag.IntVar(&cfg.parallel, "parallel", 2, "mutants that are built and run at a time")
	flag.DurationVar(&cfg.patience, "patience", 5*time.Second, "how long a row may take under a mutant beyond five times what it takes without")
	flag.BoolVar(&cfg.listed, "listed", false, "under each mutant run only the rows that list it, which does not tell the rules apart")
	flag.BoolVar(&cfg.update, "update", false, "raise the minimum to what ran")
	flag.BoolVar(&cfg.verbose, "v", false, "print which rows each mutant turned red, and why, as soon as that is known")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := attackAll(ctx, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "attacks:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// config is what is asked for on the command line.
type config struct {
	root, rows, mutants string
	parallel            int
	patience            time.Duration
	listed              bool
	update, verbose     bool
}

func (c config) partial() bool { return c.rows != "" || c.mutants != "" || c.listed }

// attackAll carries out the table and prints it.
func attackAll(ctx context.Context, cfg config) (ok bool, err error) {
	began := time.Now()
	if cfg.root, err = filepath.Abs(cfg.root); err != nil {
		return false, err
	}
	rows, mutants, err := chosen(cfg)
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "writ-mutants-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	d := &driver{config: cfg, ctx: ctx, dir: dir, rows: rows}
	if err := d.asItIs(); err != nil {
		return false, err
	}
	if err := d.mutate(mutants); err != nil {
		return false, err
	}
	s := d.sum(mutants)
	s.print(os.Stdout)
	fmt.Printf("%s in %v\n", s.total(), time.Since(began).Round(time.Second))
	if !cfg.partial() {
		path := filepath.Join(cfg.root, "testdata", "hostile", "minimum.txt")
		if err := holdToMinimum(path, counts(rows, mutants, d.results), cfg.update); err != nil {
			s.faults = append(s.faults, err.Error())
		}
	}
	for _, f := range s.faults {
		fmt.Println("FAULT", f)
	}
	return len(s.faults) == 0, nil
}

// chosen are the rows and mutants to run, after the table was found to be whole.
func chosen(cfg config) (rows []attack.Row, mutants []mutant.Mutant, err error) {
	all, err := mutant.Load(cfg.root)
	if err != nil {
		return nil, nil, err
	}
	rows = table.Rows()
	if err := table.Check(rows, all); err != nil {
		return nil, nil, err
	}
	wanted := words(cfg.rows)
	rows = slices.DeleteFunc(rows, func(r attack.Row) bool { return len(wanted) > 0 && !slices.Contains(wanted, r.ID) })
	listed := map[string]bool{}
	for _, r := range rows {
		for _, id := range r.Mutants {
			listed[id] = true
		}
	}
	asked := words(cfg.mutants)
	mutants = slices.DeleteFunc(all, func(m mutant.Mutant) bool {
		return !listed[m.ID] || len(asked) > 0 && !slices.Contains(asked, m.ID)
	})
	if len(rows) == 0 || len(mutants) == 0 && cfg.mutants != "none" {
		return nil, nil, errors.New("no row or no mutant has such a name")
	}
	return rows, mutants, nil
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' })
}
