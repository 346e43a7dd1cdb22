package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/writ-run/writ/capabilities"
)

// printJSON prints v, indented for a person, in one piece for a program.
func (a *app) printJSON(v any) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := a.stdout.Write(capabilities.PrintableJSON(out.Bytes()))
	return err
}

// printTable prints rows in columns under a header.
func (a *app) printTable(header string, rows [][]string) error {
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(header, " ", "\t"))
	for _, r := range rows {
		for i, cell := range r {
			limit := maxCell
			if i == len(r)-1 {
				limit = maxErrorRunes
			}
			r[i] = capabilities.Printable(cell, limit)
		}
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

// printFacts prints names and values in two columns.
func (a *app) printFacts(facts [][]string) error {
	w := tabwriter.NewWriter(a.stdout, 0, 4, 2, ' ', 0)
	for _, f := range facts {
		fmt.Fprintf(w, "%s\t%s\n", f[0], capabilities.Printable(f[1], maxErrorRunes))
	}
	return w.Flush()
}

// counted is a number of things: "1 tool", "2 tools".
func counted(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// maxCell is how much of one value a table shows, in characters; its last column shows maxErrorRunes.
const maxCell = 120

// say prints a sentence for a person to standard error: standard output is for answers.
// What it is given may hold names from outside, so the whole line is escaped.
func (a *app) say(format string, args ...any) {
	fmt.Fprintln(a.stderr, capabilities.Printable(fmt.Sprintf(format, args...), maxSentence))
}

// maxSentence bounds one sentence, in characters.
const maxSentence = 2000

// done says what a verb did: a sentence for a person, with --json the same as an object.
func (a *app) done(what map[string]string, format string, args ...any) error {
	if a.json {
		return a.printJSON(what)
	}
	a.say(format, args...)
	return nil
}

// command is a command line to suggest, which works on the same home and space as this one.
func (a *app) command(words string) string {
	if a.space != capabilities.DefaultSpace {
		words += " --space " + a.space
	}
	if a.homeFlag != "" {
		words += " --home " + a.homeFlag
	}
	return "`writ " + words + "`"
}

// logger is the host's log.
func (a *app) logger() *slog.Logger {
	if a.observed.log != nil {
		return a.observed.log
	}
	return slog.New(a.terminalLog())
}

// interactive says whether a person can be asked: both ends are a terminal.
func (a *app) interactive() bool {
	out, ok := a.stderr.(*os.File)
	return ok && term.IsTerminal(int(a.stdin.Fd())) && term.IsTerminal(int(out.Fd()))
}

// colour says whether standard error may be coloured (no-color.org).
func (a *app) colour() bool {
	out, ok := a.stderr.(*os.File)
	return ok && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" && term.IsTerminal(int(out.Fd()))
}
