package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/mutant"
	"github.com/writ-run/writ/testdata/hostile/table"
	"github.com/writ-run/writ/testdata/hostile/target"
)

// driver builds runners and watches what they run.
type driver struct {
	config
	ctx     context.Context
	dir     string // for binaries and overlays
	rows    []attack.Row
	command string // the built command; empty under mutants

	broken  []string                         // mutants that could not be built
	results map[string]table.Line            // of the product as it is, by row
	brief   map[string]table.Line            // of the same, quick rows alone, as under a mutant
	mutated map[string]map[string]table.Line // by mutant and row
}

// firstPatience is how long a row may take in the product as it is.
const firstPatience = 4 * time.Minute

// asItIs runs all rows, thoroughly, against the product as it is.
func (d *driver) asItIs() (err error) {
	command := filepath.Join(d.dir, "writ")
	if err := d.build(command, "./cmd/writ", ""); err != nil {
		return err
	}
	runner := filepath.Join(d.dir, "runner")
	if err := d.build(runner, "./testdata/hostile/runner", ""); err != nil {
		return err
	}
	d.command = command
	patient := func(attack.Row) time.Duration { return firstPatience }
	d.results, err = d.run(runner, d.rows, patient, true)
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return err
	}
	// Once more as mutants are run, which tells how long that takes.
	d.command = ""
	quick := slices.DeleteFunc(slices.Clone(d.rows), func(row attack.Row) bool { return row.Slow })
	d.brief, err = d.run(runner, quick, patient, false)
	return err
}

// mutate builds each mutant and runs the rows against it: all that list it, and every other one that is quick.
func (d *driver) mutate(mutants []mutant.Mutant) error {
	d.mutated = map[string]map[string]table.Line{}
	var mu sync.Mutex // guards d
	next := make(chan mutant.Mutant)
	var workers sync.WaitGroup
	for range d.parallel {
		workers.Go(func() {
			for m := range next {
				results, err := d.try(m)
				mu.Lock()
				if err != nil {
					d.broken = append(d.broken, err.Error())
				}
				d.mutated[m.ID] = results
				fmt.Fprintf(os.Stderr, "\r%d of %d mutants ", len(d.mutated), len(mutants))
				if d.verbose {
					d.explain(os.Stdout, m)
				}
				mu.Unlock()
			}
		})
	}
	for _, m := range mutants {
		if d.ctx.Err() == nil {
			next <- m
		}
	}
	close(next)
	workers.Wait()
	fmt.Fprintln(os.Stderr)
	if d.ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return nil
}

func (d *driver) try(m mutant.Mutant) (map[string]table.Line, error) {
	if err := d.ctx.Err(); err != nil {
		return nil, err
	}
	overlay, err := m.Overlay(d.root, d.dir)
	if err != nil {
		return nil, err
	}
	runner := filepath.Join(d.dir, "runner-"+m.ID)
	if err := d.build(runner, "./testdata/hostile/runner", overlay); err != nil {
		return nil, fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	defer os.Remove(runner)
	var rows []attack.Row
	for _, row := range d.rows {
		if table.Lists(row, m.ID) || !row.Slow && !d.listed {
			rows = append(rows, row)
		}
	}
	return d.run(runner, rows, func(row attack.Row) time.Duration {
		took := 5 * d.brief[row.ID].Millis
		if row.Slow {
			took = d.results[row.ID].Millis
		}
		return d.patience + time.Duration(took)*time.Millisecond
	}, false)
}

// build makes a binary, with some files replaced when overlay is not empty.
func (d *driver) build(binary, pkg, overlay string) error {
	args := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", binary}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(d.ctx, "go", append(args, pkg)...)
	cmd.Dir = d.root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// run runs rows with a runner. A row in which the runner dies or falls silent is red; the rest is run by another one.
func (d *driver) run(runner string, rows []attack.Row, patience func(attack.Row) time.Duration, thorough bool) (map[string]table.Line, error) {
	results := map[string]table.Line{}
	for len(rows) > 0 {
		done, why, err := d.once(runner, rows, patience, thorough, results)
		if err != nil {
			return nil, err
		}
		if why != "" {
			row := rows[done]
			results[row.ID] = table.Line{ID: row.ID, Ended: true, Report: attack.Report{Variants: 1, Hits: []string{why}}}
			done++
		}
		rows = rows[done:]
	}
	return results, nil
}

// once starts a runner and returns how many rows it ended, and why it did not end the one after them.
func (d *driver) once(runner string, rows []attack.Row, patience func(attack.Row) time.Duration, thorough bool, results map[string]table.Line) (done int, why string, err error) {
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	args := []string{"-json", "-rows", strings.Join(ids, ",")}
	if thorough {
		args = append(args, "-thorough")
	} else {
		args = append(args, "-first")
	}
	cmd := exec.Command(runner, args...)
	cmd.Env = append(os.Environ(), target.CommandEnv+"="+d.command)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	group(cmd)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, "", err
	}
	if err := cmd.Start(); err != nil {
		return 0, "", err
	}
	lines := read(stdout)
	defer func() {
		kill(cmd)
		for range lines { // until the pipe is closed
		}
		_ = cmd.Wait() // it was killed, or what it did is known
	}()
	for done < len(rows) {
		timer := time.NewTimer(patience(rows[done]))
		select {
		case line, open := <-lines:
			timer.Stop()
			if !open {
				return done, "the process died: " + lastLine(stderr.String()), nil
			}
			if line.ID != rows[done].ID {
				return 0, "", fmt.Errorf("the runner ran %s where %s was due", line.ID, rows[done].ID)
			}
			if line.Ended {
				results[line.ID] = line
				done++
				if thorough {
					fmt.Fprintf(os.Stderr, "\r%d of %d rows ", done, len(rows))
				}
			}
		case <-timer.C:
			return done, "the process fell silent", nil
		case <-d.ctx.Done():
			timer.Stop()
			return 0, "", d.ctx.Err()
		}
	}
	return done, "", nil
}

// read hands on the lines of a runner until it closes its output.
func read(in io.Reader) <-chan table.Line {
	lines := make(chan table.Line)
	go func() {
		defer close(lines)
		decoder := json.NewDecoder(bufio.NewReader(in))
		for {
			var line table.Line
			if decoder.Decode(&line) != nil {
				return
			}
			lines <- line
		}
	}()
	return lines
}

func lastLine(text string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			return capabilities.Printable(strings.TrimSpace(line), 200)
		}
	}
	return "without a word"
}
