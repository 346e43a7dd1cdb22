package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/cmd/clients"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/servlets/builtin"
)

// shells are those that completion is written for.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func (a *app) completionVerb() *cobra.Command {
	return &cobra.Command{
		Use: "completion SHELL", Args: takes,
		Short: "Print what lets a shell complete verbs, servlets, tools and other names",
		Long: `Print what lets a shell complete verbs, servlets, tools, spaces, clients and
keys. SHELL is bash, zsh, fish or powershell. For every new shell:

  bash        echo 'source <(writ completion bash)' >> ~/.bashrc
  zsh         writ completion zsh > "${fpath[1]}/_writ"
  fish        writ completion fish > ~/.config/fish/completions/writ.fish
  powershell  writ completion powershell >> $PROFILE

Completing only reads: it makes no home and waits for nobody.`,
		Example: "  writ completion bash\n  writ completion zsh",
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				if _, err := fmt.Fprint(a.stdout, bashAlone); err != nil {
					return err
				}
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			}
			return usagef("%q is no shell that completion is written for: want one of %s", args[0], strings.Join(shells, ", "))
		},
	}
}

// bashAlone stands in for the one function of the package bash-completion that completing needs, where
// that package is not installed (macOS, small servers). Where it is, its own is used.
const bashAlone = `if ! declare -F _get_comp_words_by_ref >/dev/null && ! declare -F _init_completion >/dev/null; then
    _get_comp_words_by_ref()
    {
        words=("${COMP_WORDS[@]}")
        cword=$COMP_CWORD
        cur=${words[cword]}
        prev=${words[cword - 1]}
    }
fi

`

// candidates are what can stand in one place of a command line; given are the arguments before it.
type candidates func(ctx context.Context, cmd *cobra.Command, given []string) []string

// complete lets every verb below cmd complete its arguments by the words of its usage line, and its flags
// by their names: a verb that says ALIAS has nothing else to do.
func (a *app) complete(cmd *cobra.Command) {
	arguments := map[string]candidates{
		"ALIAS": a.aliases, "SERVLET": a.aliases, "TOOL": a.toolNames, "KEY": a.declaredKeys, "CLIENT": fixed(clients.Names()...),
		"SHELL": fixed(shells...), "PLACE": fixed("keyring", "file", "passphrase"), "LANGUAGE": fixed("go", "rust", "typescript"),
		"VERB": verbNames, "FILE|URL|ALIAS": a.aliases, "FILE|URL|NAME": builtIns,
	}
	if cmd.Parent() != nil && cmd.Parent().Name() == "key" && strings.HasSuffix(cmd.Use, " NAME") && cmd.Name() != "create" {
		arguments["NAME"] = a.keyNames
	}
	flags := map[string]candidates{
		"space": a.spaces, "spaces": a.spaces, "connect": fixed(clients.Names()...), "alias": a.aliases, "secrets": a.aliases, "event": fixed(events...),
		"role": fixed(capabilities.RoleUser, capabilities.RoleObserver),
	}
	for name, from := range flags {
		if cmd.LocalFlags().Lookup(name) != nil {
			// Registering fails only for a flag that does not exist, or twice: both would be a mistake here.
			_ = cmd.RegisterFlagCompletionFunc(name, a.completing(from))
		}
	}
	words := strings.Fields(cmd.Use)[1:]
	if cmd.ValidArgsFunction == nil && len(words) > 0 {
		cmd.ValidArgsFunction = a.byUsage(words, arguments)
	}
	for _, sub := range cmd.Commands() {
		a.complete(sub)
	}
}

// byUsage completes by the words of a usage line. Where one begins with FILE, or is of no kind that is
// known here, file names are completed as well.
func (a *app) byUsage(words []string, known map[string]candidates) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(given) >= len(words) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		word := strings.Trim(words[len(given)], "[]")
		from, ok := known[word]
		if !ok {
			switch word {
			case "FILE", "DIR", "JSON|@FILE|-":
				return nil, cobra.ShellCompDirectiveDefault
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		found, directive := a.completing(from)(cmd, given, begun)
		if strings.HasPrefix(word, "FILE|") {
			directive = cobra.ShellCompDirectiveDefault
		}
		return found, directive
	}
}

// completing keeps those candidates that begin with what was typed. Whatever goes wrong, nothing is said:
// a line that is being typed is no place for an error.
func (a *app) completing(from candidates) cobra.CompletionFunc {
	return func(cmd *cobra.Command, given []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if capabilities.ValidSpace(a.space) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), completeWait)
		defer cancel()
		var found []cobra.Completion
		for _, c := range from(ctx, cmd, given) {
			// Names are checked when they are recorded; a shell is given nothing that only looks so.
			if strings.HasPrefix(c, begun) && capabilities.Printable(c, maxCell) == c {
				found = append(found, c)
			}
		}
		slices.Sort(found)
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeWait is how long completing may take, and completeLock how much of it waiting for a home that
// is in use.
const (
	completeWait = time.Second
	completeLock = 300 * time.Millisecond
)

func fixed(names ...string) candidates {
	return func(context.Context, *cobra.Command, []string) []string { return names }
}

func builtIns(context.Context, *cobra.Command, []string) []string {
	set, err := builtin.Shipped()
	if err != nil {
		return nil
	}
	var names []string
	for _, s := range set.Servlets() {
		names = append(names, s.Name)
	}
	return names
}

func verbNames(_ context.Context, cmd *cobra.Command, _ []string) []string {
	var names []string
	for _, v := range cmd.Root().Commands() {
		if v.IsAvailableCommand() {
			names = append(names, v.Name())
		}
	}
	return names
}

// looking runs f with the home opened for looking alone, if there is one.
func (a *app) looking(f func(*registry.Registry)) {
	dir, err := a.homeDir()
	if err != nil {
		return
	}
	reg, err := registry.Open(dir, &registry.Options{ReadOnly: true, LockTimeout: completeLock})
	if err != nil {
		return
	}
	f(reg)
	_ = reg.Close() // nothing was written
}

// installed returns what is installed in the space, or nothing.
func (a *app) installed(ctx context.Context, reg *registry.Registry) []registry.Installation {
	all, err := reg.List(ctx, a.caller())
	if err != nil {
		return nil
	}
	return all
}

func (a *app) aliases(ctx context.Context, _ *cobra.Command, _ []string) (names []string) {
	a.looking(func(reg *registry.Registry) {
		for _, in := range a.installed(ctx, reg) {
			names = append(names, in.Alias)
		}
	})
	return names
}

func (a *app) toolNames(ctx context.Context, _ *cobra.Command, _ []string) (names []string) {
	a.looking(func(reg *registry.Registry) {
		for _, in := range a.installed(ctx, reg) {
			for _, tool := range in.Grant.Rights.Tools {
				if name, err := capabilities.ToolName(in.Alias, tool); err == nil {
					names = append(names, name)
				}
			}
		}
	})
	return names
}

func (a *app) spaces(ctx context.Context, _ *cobra.Command, _ []string) (names []string) {
	a.looking(func(reg *registry.Registry) {
		names, _ = reg.Spaces(ctx, a.caller())
	})
	return names
}

func (a *app) keyNames(ctx context.Context, _ *cobra.Command, _ []string) (names []string) {
	a.looking(func(reg *registry.Registry) {
		keys, _ := reg.Keys(ctx, a.caller())
		for _, k := range keys {
			names = append(names, k.Name)
		}
	})
	return slices.Compact(names)
}

// declaredKeys are the secrets, or else the settings, that the servlet before them declares.
func (a *app) declaredKeys(ctx context.Context, cmd *cobra.Command, given []string) (keys []string) {
	if len(given) == 0 {
		return nil
	}
	a.looking(func(reg *registry.Registry) {
		c, _, err := approval.Load(ctx, reg, a.caller(), given[0])
		if err != nil {
			return
		}
		declared := c.Servlet.Manifest().Capabilities
		if cmd.Parent().Name() == "secret" {
			for _, s := range declared.Secrets {
				keys = append(keys, s.Key)
			}
			return
		}
		for _, c := range declared.Config {
			keys = append(keys, c.Key)
		}
	})
	return keys
}
