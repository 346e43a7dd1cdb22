package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// takes checks the number of arguments against the verb's own usage line: words in capitals are
// arguments, those in brackets may be left out. What is wrong is said in those words.
func takes(cmd *cobra.Command, args []string) error {
	var names []string
	required := 0
	for _, word := range strings.Fields(cmd.Use)[1:] {
		names = append(names, strings.Trim(word, "[]"))
		if !strings.HasPrefix(word, "[") {
			required++
		}
	}
	switch {
	case len(args) < required:
		return fmt.Errorf("%s is missing", names[len(args)])
	case len(args) > len(names) && len(names) == 0:
		return fmt.Errorf("%s takes no arguments, and %q is one", cmd.CommandPath(), args[0])
	case len(args) > len(names):
		return fmt.Errorf("%q is one argument too many: want %s", args[len(names)], strings.Join(names, " "))
	}
	return nil
}

// flagError says what a flag wants, without the words of the parser.
func flagError(_ *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	want := map[string]string{
		"int": "a whole number", "uint64": "a whole number", "duration": "a duration such as 30m or 24h", "bool": "true or false",
	}[invalid.GetFlag().Value.Type()]
	if want == "" {
		return err
	}
	return fmt.Errorf("--%s %s: want %s", invalid.GetFlag().Name, invalid.GetValue(), want)
}

// helpVerb is cobra's help with an error for what does not exist.
func (a *app) helpVerb(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [VERB]",
		Short:   "Explain a verb",
		Example: "  writ help\n  writ help install",
		RunE: func(_ *cobra.Command, args []string) error {
			verb, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("there is no verb %q (see `writ --help`)", strings.Join(args, " "))
			}
			return verb.Help()
		},
	}
}

// explain turns an error of the command line's own reading into one sentence.
func explain(root, verb *cobra.Command, args []string, err error) error {
	if strings.HasPrefix(err.Error(), "unknown command") && len(args) > 0 {
		for _, word := range args {
			if strings.HasPrefix(word, "-") {
				continue
			}
			if near := root.SuggestionsFor(word); len(near) > 0 {
				return usagef("there is no verb %q: did you mean %s?", word, strings.Join(near, " or "))
			}
			return usagef("there is no verb %q (see `%s --help`)", word, verb.CommandPath())
		}
	}
	return usagef("%w (see `%s --help`)", err, verb.CommandPath())
}
