package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/sdk/toolchain"
)

// testFlags are the flags of writ test.
type testFlags struct {
	run, hostile   string
	seed           uint64
	update, record bool
	hosts, secrets []string
}

func (a *app) testVerb() *cobra.Command {
	var flags testFlags
	cmd := &cobra.Command{
		Use: "test DIR", Args: takes,
		Short: "Make the calls of a servlet's tests, and compare the answers",
		Long: `Build a servlet from its source, make the calls that the files tests/*.json of
it name, and compare the answers. Each call runs in a fresh sandbox that has
what servlet.toml requests and its file gives: settings, copies of folders, data
that was kept before. Nothing is sent: HTTP exchanges are answered from
tests/NAME.exchanges.json, which --record makes, and a request that is not in it
fails. Then every tool gets hostile inputs, which are made from its schema: it
has to answer, with an error if it likes, or the host has to refuse them.

A file is {"calls":[...]}. A call has a name, a tool, its arguments, and what is
wanted: text, structured, structured_has, content or error, and beside that
folders, denied and logs. sdk/TESTING.md has all of it.`,
		Example: "  writ test weather\n  writ test . --run words --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := flags.options(args[0])
			if err != nil {
				return usageError{err}
			}
			o.Network = a.network
			if err := a.withRegistry(func(reg *registry.Registry) error {
				o.CacheDir = codeCache(reg.Home())
				return nil
			}); err != nil {
				return err
			}
			report, err := toolchain.Test(cmd.Context(), o)
			if err != nil {
				return usageError{err}
			}
			return a.printTests(report)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.run, "run", "", "make only calls whose \"FILE: NAME\" this regular expression matches")
	f.BoolVar(&flags.update, "update", false, "write what came into the files, after showing how it differs")
	f.StringVar(&flags.hostile, "hostile", "100", "hostile inputs for each tool: a number, or off")
	f.Uint64Var(&flags.seed, "seed", 1, "seed of the hostile inputs: the same one makes the same inputs")
	f.BoolVar(&flags.record, "record", false, "send the requests, within what servlet.toml requests, and keep the answers")
	f.StringArrayVar(&flags.hosts, "host", nil, "with --record, `ID=ORIGIN`: the origin of an http capability that leaves it to you")
	f.StringArrayVar(&flags.secrets, "secret", nil, "with --record, `KEY=FILE`: a file with the value of a secret, which is not kept")
	return cmd
}

// maxHostile is the most hostile inputs for a tool: more are the same again.
const maxHostile = 5000

func (f testFlags) options(dir string) (o toolchain.TestOptions, err error) {
	o = toolchain.TestOptions{Dir: dir, Update: f.update, Record: f.record, Seed: f.seed, Hosts: map[string]string{}, Secrets: map[string]capabilities.SecretValue{}}
	if f.run != "" {
		if o.Run, err = regexp.Compile(f.run); err != nil {
			return o, fmt.Errorf("--run %q is no regular expression", f.run)
		}
	}
	if f.hostile != "off" {
		if o.Hostile, err = strconv.Atoi(f.hostile); err != nil || o.Hostile < 0 || o.Hostile > maxHostile {
			return o, fmt.Errorf("--hostile %q: want off, or a number up to %d", f.hostile, maxHostile)
		}
	}
	if !f.record && len(f.hosts)+len(f.secrets) > 0 {
		return o, fmt.Errorf("--host and --secret belong to --record: nothing is sent without it")
	}
	for _, text := range f.hosts {
		id, origin, _ := strings.Cut(text, "=")
		canonical, err := capabilities.ParseOrigin(origin)
		if err != nil {
			return o, fmt.Errorf("--host %q: want ID=ORIGIN, such as api=https://api.example.com", text)
		}
		o.Hosts[id] = canonical
	}
	for _, text := range f.secrets {
		key, file, named := strings.Cut(text, "=")
		if !named {
			return o, fmt.Errorf("--secret takes KEY=FILE: a file with the value, so that no list of processes shows it")
		}
		value, err := readSecretFile(file)
		if err != nil {
			return o, fmt.Errorf("--secret %s: %w", key, err)
		}
		o.Secrets[key] = value
	}
	return o, nil
}

// readSecretFile reads the value of a secret, without one line break at its end.
func readSecretFile(path string) (capabilities.SecretValue, error) {
	info, err := os.Stat(path)
	if err != nil {
		return capabilities.SecretValue{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > capabilities.MaxSecret+2 {
		return capabilities.SecretValue{}, fmt.Errorf("%s is no file with a secret of at most %d bytes", path, capabilities.MaxSecret)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return capabilities.SecretValue{}, err
	}
	return capabilities.NewSecretValue(string(withoutBreak(text)))
}

// printTests prints a line for each call and tool; below one that failed, how.
func (a *app) printTests(report toolchain.TestReport) error {
	failed, findings := 0, 0
	for _, r := range report.Calls {
		if r.Failed() {
			failed++
		}
	}
	for _, r := range report.Hostile {
		findings += len(r.Findings)
	}
	if a.json {
		if err := a.printJSON(struct {
			toolchain.TestReport
			Failed   int `json:"failed"`
			Findings int `json:"findings"`
		}{report, failed, findings}); err != nil {
			return err
		}
	} else {
		for _, r := range report.Calls {
			a.printCall(r)
		}
		for _, r := range report.Hostile {
			a.printHostile(r)
		}
		for _, name := range report.Written {
			fmt.Fprintf(a.stdout, "wrote %s\n", capabilities.Printable(name, maxErrorRunes))
		}
		fmt.Fprintf(a.stdout, "%s, %d failed", counted(len(report.Calls), "call"), failed)
		if report.Hostile != nil {
			made := 0
			for _, r := range report.Hostile {
				made += r.Made
			}
			fmt.Fprintf(a.stdout, "; %s (--seed %d), %s", counted(made, "hostile input"), report.Seed, counted(findings, "finding"))
		}
		fmt.Fprintln(a.stdout)
	}
	if failed+findings > 0 {
		return silent(exitTool)
	}
	return nil
}

func (a *app) printCall(r toolchain.CallReport) {
	file := capabilities.Printable(r.File, maxCell)
	if !r.Failed() && !r.Updated {
		fmt.Fprintf(a.stdout, "ok    %s: %s (%v, %d units)\n", file, r.Name, r.Wall.Round(10*time.Microsecond), r.Fuel)
		return
	}
	word := "FAIL"
	if !r.Failed() {
		word = "new "
	}
	fmt.Fprintf(a.stdout, "%s  %s:%d: %s", word, file, r.Line, r.Name)
	if r.Failure != "" {
		fmt.Fprintf(a.stdout, ": %s", strings.TrimSpace(r.Failure))
	}
	fmt.Fprintln(a.stdout)
	for _, d := range r.Differences {
		fmt.Fprintf(a.stdout, "      %s (%s:%d)\n", capabilities.Printable(d.Member, maxCell), file, d.Line)
		for _, line := range d.Diff {
			fmt.Fprintf(a.stdout, "      %s\n", line)
		}
	}
	for _, line := range r.Requests {
		fmt.Fprintf(a.stdout, "      request: %s\n", line)
	}
	for _, line := range r.Unused {
		fmt.Fprintf(a.stdout, "      recorded and not asked for: %s\n", line)
	}
	for _, line := range r.Denied {
		fmt.Fprintf(a.stdout, "      denied: %s\n", capabilities.Printable(line, maxErrorRunes))
	}
	if r.Where != "" {
		fmt.Fprintf(a.stdout, "      %s\n", capabilities.Printable(r.Where, maxErrorRunes))
	}
	for _, line := range r.Logs {
		fmt.Fprintf(a.stdout, "      log: %s\n", capabilities.Printable(line.Text, maxErrorRunes))
	}
}

func (a *app) printHostile(r toolchain.HostileReport) {
	tool := capabilities.Printable(r.Tool, maxCell)
	stopped := ""
	if r.Stopped {
		stopped = ", stopped early"
	}
	word := "ok  "
	if len(r.Findings) > 0 {
		word = "FAIL"
	}
	fmt.Fprintf(a.stdout, "%s  hostile inputs: %s: %d made, %d answered, %d refused by the host%s\n", word, tool, r.Made, r.Answered, r.Refused, stopped)
	for _, f := range r.Findings {
		fmt.Fprintf(a.stdout, "      %s: %s\n", f.Why, f.What)
		if f.Where != "" {
			fmt.Fprintf(a.stdout, "      %s\n", capabilities.Printable(f.Where, maxErrorRunes))
		}
		if f.Call != "" {
			fmt.Fprintf(a.stdout, "      as a call: %s\n", f.Call)
		}
	}
}
