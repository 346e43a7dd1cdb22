package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manVerb writes the manual that packages install. It is hidden: people read its pages with man.
func (a *app) manVerb() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Args: takes, Hidden: true,
		Short: "Write the manual pages of all verbs into a folder",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("writing the manual: %v", err)
			}
			pages := manPages(cmd.Root())
			for name, text := range pages {
				if err := os.WriteFile(filepath.Join(args[0], name), []byte(text), 0o644); err != nil {
					return fmt.Errorf("writing the manual: %v", err)
				}
			}
			return a.done(map[string]string{"folder": args[0]}, "wrote %s to %s", counted(len(pages), "page"), args[0])
		},
	}
}

// manPages returns the page of cmd and of every verb below it, by file name. They are the same bytes each
// time: they name no date, and the version is the package's to say.
func manPages(cmd *cobra.Command) map[string]string {
	pages := map[string]string{}
	var add func(*cobra.Command)
	add = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" {
			return
		}
		pages[manName(c)+".1"] = manPage(c)
		for _, sub := range c.Commands() {
			add(sub)
		}
	}
	add(cmd)
	return pages
}

// manName is how man is asked for a command: writ-secret-set.
func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func manPage(c *cobra.Command) string {
	var b strings.Builder
	section := func(title string) { fmt.Fprintf(&b, ".SH %s\n", title) }
	fmt.Fprintf(&b, ".TH %q 1 \"\" \"Writ\" \"Writ's manual\"\n", strings.ToUpper(manName(c)))
	section("NAME")
	fmt.Fprintf(&b, "%s \\- %s\n", roff(manName(c)), roff(lowerFirst(c.Short)))
	section("SYNOPSIS")
	fmt.Fprintf(&b, "\\fB%s\\fR%s\n", roff(c.CommandPath()), roff(strings.TrimPrefix(c.UseLine(), c.CommandPath())))
	section("DESCRIPTION")
	b.WriteString(roffText(cmp.Or(c.Long, c.Short+".")))
	manFlags(&b, "OPTIONS", c.NonInheritedFlags())
	manFlags(&b, "OPTIONS OF EVERY VERB", c.InheritedFlags())
	if c.HasExample() {
		section("EXAMPLES")
		b.WriteString(".nf\n" + roffLines(c.Example) + ".fi\n")
	}
	if !strings.Contains(c.Long, exitStatuses) {
		section("EXIT STATUS")
		b.WriteString(roffText(strings.TrimPrefix(exitStatuses, "Exit status: ")))
	}
	if see := related(c); len(see) > 0 {
		section("SEE ALSO")
		b.WriteString(strings.Join(see, ",\n") + "\n")
	}
	return b.String()
}

func manFlags(b *strings.Builder, title string, flags *pflag.FlagSet) {
	first := true
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if first {
			fmt.Fprintf(b, ".SH %s\n", title)
			first = false
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		kind, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(b, ".TP\n\\fB%s\\fR", roff(name))
		if kind != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roff(kind))
		}
		if d := f.DefValue; d != "" && d != "false" && d != "[]" && d != "0" {
			usage += " (default " + d + ")"
		}
		fmt.Fprintf(b, "\n%s\n", roff(usage))
	})
}

// related are the pages above and below one.
func related(c *cobra.Command) []string {
	var see []string
	if c.HasParent() {
		see = append(see, manName(c.Parent()))
	}
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Name() != "help" {
			see = append(see, manName(sub))
		}
	}
	slices.Sort(see)
	for i, name := range see {
		see[i] = "\\fB" + roff(name) + "\\fR(1)"
	}
	return see
}

// roffText keeps paragraphs, and sets as they are the lines that are set apart by spaces.
func roffText(text string) string {
	var b strings.Builder
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if strings.HasPrefix(paragraph, "  ") {
			b.WriteString(".nf\n" + roffLines(paragraph) + ".fi\n")
			continue
		}
		b.WriteString(roffLines(paragraph))
	}
	return b.String()
}

func roffLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(roff(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return b.String()
}

// roff is text in which nothing is a request or an escape of the formatter, and dashes are those that a
// shell understands.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`, "'", `\(aq`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

func lowerFirst(text string) string {
	if text == "" || len(text) > 1 && text[1] >= 'A' && text[1] <= 'Z' {
		return text // an abbreviation
	}
	return strings.ToLower(text[:1]) + text[1:]
}
