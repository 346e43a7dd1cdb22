// Writ runs MCP tools as signed WebAssembly servlets, each call in a fresh sandbox that holds only
// what a person approved.
//
// One file per verb; main is os.Exit(run(...)). Answers go to standard output, everything else to
// standard error, one line each, without capitals and full stops; exit statuses are in exit.go.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
)

func main() {
	os.Exit(run(os.Args[1:], &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}))
}

// app is one run of the command: its streams, its environment and its global flags.
type app struct {
	stdin  *os.File
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string
	// network is the zero value, the real network, outside tests.
	network guard.Network

	homeFlag string
	space    string
	json     bool
	// passphraseFD names the file descriptor that the passphrase of the secrets is read from; "": none.
	passphraseFD string
	passphrases  *os.File // the same, opened

	serving  bool // warnings go to the log
	observed observed
	began    bool // a verb's own code was reached: errors before that are usage
}

// run executes one command line and returns its exit status.
func run(args []string, a *app) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks; the second ends the process whatever it is doing: a call that ignores its
	// deadline must not hold a person's terminal.
	context.AfterFunc(ctx, stop)
	root := a.root()
	root.SetArgs(args)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		root.InitDefaultHelpCmd()
		a.complete(root)
	}
	verb, err := root.ExecuteContextC(ctx)
	if err != nil && !a.began {
		err = explain(root, verb, args, err)
	}
	return a.report(err)
}

// root is the command with all its verbs.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "writ",
		Short: "Run MCP tools as signed WebAssembly servlets that hold only what you approved",
		Long: `Writ runs MCP tools as signed WebAssembly servlets. You see what a servlet
wants, approve or narrow it, and every call runs in a fresh sandbox that can
touch nothing else.

` + exitStatuses,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Version:           buildVersion(),
		PersistentPreRunE: func(*cobra.Command, []string) error {
			a.began = true
			if err := capabilities.ValidSpace(a.space); err != nil {
				return usagef("--space %q: %w", a.space, err)
			}
			return a.openPassphrases()
		},
	}
	root.SetFlagErrorFunc(flagError)
	root.SetUsageTemplate(strings.NewReplacer("FlagUsages |", "FlagUsagesWrapped 80 |").Replace(root.UsageTemplate()))
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	flags := root.PersistentFlags()
	flags.StringVar(&a.homeFlag, "home", "", "folder that holds everything Writ keeps (default $WRIT_HOME, else the system's data folder)")
	flags.StringVar(&a.space, "space", capabilities.DefaultSpace, "space to work in")
	flags.StringVar(&a.passphraseFD, "passphrase-fd", "", "file descriptor to read the passphrase of the secrets from, for those behind one")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	root.AddGroup(
		&cobra.Group{ID: "use", Title: "Use servlets:"},
		&cobra.Group{ID: "serve", Title: "Serve MCP clients:"},
		&cobra.Group{ID: "look", Title: "Look after them:"},
		&cobra.Group{ID: "write", Title: "Write servlets:"},
	)
	for group, verbs := range map[string][]*cobra.Command{
		"use":   {a.searchVerb(), a.installVerb(), a.inspectVerb(), a.listVerb(), a.toolsVerb(), a.callVerb(), a.removeVerb(), a.outdatedVerb(), a.upgradeVerb(), a.grantVerb(), a.revokeVerb(), a.configVerb(), a.secretVerb(), a.kvVerb()},
		"serve": {a.connectVerb(), a.runVerb(), a.serveVerb(), a.keyVerb()},
		"look":  {a.auditVerb(), a.logsVerb(), a.statusVerb(), a.doctorVerb(), a.versionVerb(), a.demoVerb(), a.completionVerb(), a.uninstallVerb()},
		"write": {a.newVerb(), a.buildVerb(), a.devVerb(), a.testVerb(), a.checkVerb(), a.keygenVerb(), a.signVerb()},
	} {
		for _, v := range verbs {
			v.GroupID = group
			root.AddCommand(v)
		}
	}
	root.AddCommand(a.compileVerb(), a.manVerb())
	root.SetHelpCommandGroupID("look")
	root.SetHelpCommand(a.helpVerb(root))
	return root
}

// caller is the person at this terminal, in the space that was asked for.
func (a *app) caller() capabilities.Caller { return capabilities.Local(a.space) }
