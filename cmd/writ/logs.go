package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/logging"
)

func (a *app) logsVerb() *cobra.Command {
	var follow bool
	var limit int
	cmd := &cobra.Command{
		Use: "logs [NAME]", Args: takes,
		Short: "Show what servlets wrote, what calls came to, and the host's warnings",
		Long: `Show what servlets wrote, what calls came to, and the host's warnings: those of
every process that shares the home, of one space, of the servlet NAME alone or
of all. What looks like a secret was taken out before it was written. The log
is for looking; what happened is in ` + "`writ audit`" + `.`,
		Example: "  writ logs\n  writ logs filesystem --limit 20",
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 {
				return usagef("--limit %d: not negative", limit)
			}
			dir, err := a.homeDir()
			if err != nil {
				return err
			}
			alias := ""
			if len(args) > 0 {
				alias = args[0]
				if err := capabilities.ValidAlias(alias); err != nil {
					return usagef("%s: %w", alias, err)
				}
			}
			t := &tail{app: a, alias: alias, limit: limit}
			if follow {
				return logging.Follow(cmd.Context(), logFolder(dir), t.take, t.catchUp)
			}
			if err := logging.Read(logFolder(dir), t.take); err != nil {
				return err
			}
			if len(t.last) == 0 {
				a.say("nothing is logged that fits")
			}
			return t.catchUp()
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is written from now on, until interrupted")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most the newest N lines; 0 for all")
	return cmd
}

// tail prints the lines of one space: the newest first ones together, then each as it comes.
type tail struct {
	app   *app
	alias string
	limit int
	last  []logging.Line
	live  bool
}

func (t *tail) take(l logging.Line) error {
	if l.Space != "" && l.Space != t.app.space || t.alias != "" && l.Alias != t.alias {
		return nil
	}
	if t.live {
		return t.print(l)
	}
	t.last = append(t.last, l)
	if t.limit > 0 && len(t.last) >= 2*t.limit {
		t.last = append([]logging.Line(nil), t.last[len(t.last)-t.limit:]...)
	}
	return nil
}

func (t *tail) catchUp() error {
	t.live = true
	if t.limit > 0 && len(t.last) > t.limit {
		t.last = t.last[len(t.last)-t.limit:]
	}
	for _, l := range t.last {
		if err := t.print(l); err != nil {
			return err
		}
	}
	t.last = nil
	return nil
}

// print writes one line: for a program as JSON, for a person as text; a terminal may show both.
func (t *tail) print(l logging.Line) error {
	if t.app.json {
		_, err := fmt.Fprintf(t.app.stdout, "%s\n", capabilities.PrintableJSON(l.Raw)) // a line of an older Writ is as it came
		return err
	}
	words := []string{l.Time.Local().Format("2006-01-02 15:04:05.000"), strings.ToLower(l.Level.String())}
	name := l.Alias
	if l.Tool != "" {
		name += "_" + l.Tool
	}
	words = append(words, orDash(name))
	text := l.Message
	if l.Source == "" {
		text = strings.Join(append([]string{text}, l.Rest()...), " ")
	}
	_, err := fmt.Fprintln(t.app.stdout, capabilities.Printable(strings.Join(append(words, text), " "), maxLogLine))
	return err
}

// maxLogLine bounds one printed line, in characters.
const maxLogLine = 5000

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
