package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/sdk/toolchain"
	"github.com/writ-run/writ/servlets/builtin"
	"github.com/writ-run/writ/testdata/client"
)

func (a *app) demoVerb() *cobra.Command {
	var source string
	cmd := &cobra.Command{
		Use: "demo", Args: takes,
		Short: "Show the whole path once, and what is refused",
		Long: `Show the whole path once, in a throw-away home: show the approval screen of the
filesystem servlet that is built into writ, install it for one folder for
reading only, serve it to a real MCP client, call a tool, and try to get out.
It needs nothing but this program, and leaves nothing behind. With --source, the
servlets are built from a clone of the project first, which needs Go.`,
		Example: "  writ demo\n  writ demo --source .",
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := demoSource(source)
			if err != nil {
				return err
			}
			dir, err := os.MkdirTemp("", "writ-demo-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			d := &demo{app: a, root: root, dir: dir}
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&source, "source", "", "clone of the project to build the servlets from")
	return cmd
}

// demoSource is the clone to build the servlets from; empty: those of this binary are shown.
func demoSource(named string) (string, error) {
	set, err := builtin.Shipped()
	if err != nil {
		return "", err
	}
	if _, err := set.Probe(); named == "" && err == nil && set.Has(demoServlet) {
		return "", nil
	}
	root, err := filepath.Abs(named)
	if err != nil {
		return "", err
	}
	_, err = os.Stat(filepath.Join(root, "servlets", demoServlet, "servlet.toml"))
	switch {
	case err == nil:
		return root, nil
	case named == "":
		return "", usagef("%s", without)
	}
	return "", usagef("%s is no clone of the project: --source names one", root)
}

// demoServlet is the servlet that the demonstration shows.
const demoServlet = "filesystem"

// demo is one run of the demonstration.
type demo struct {
	*app
	root string // clone of the project; empty: what is built in is shown
	dir  string // throw-away folder
	key  ed25519.PrivateKey
	step int
}

func (d *demo) run(ctx context.Context) error {
	var err error
	if _, d.key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return err
	}
	d.homeFlag, d.space = filepath.Join(d.dir, "home"), capabilities.DefaultSpace
	playground, err := d.playground()
	if err != nil {
		return err
	}
	filesystem, probe, err := d.servlets(ctx)
	if err != nil {
		return err
	}
	reading := approval.Choice{Tools: []string{approval.AllTools}, Dirs: map[string]approval.Directory{"docs": {Path: playground, ReadOnly: true}}}
	if err := d.install(ctx, filesystem, reading, true); err != nil {
		return err
	}
	if err := d.install(ctx, probe, reading, false); err != nil {
		return err
	}
	if err := d.serve(ctx, playground); err != nil {
		return err
	}
	d.title("What next")
	for _, next := range [][2]string{
		{"install filesystem --dir docs=FOLDER", "approve it for a folder of yours"},
		{"connect", "find your MCP clients, and connect one"},
		{"new go NAME", "write a servlet of your own"},
		{"--help", "everything else"},
	} {
		fmt.Fprintf(d.stdout, "   %-64s %s\n", d.called()+" "+next[0], next[1])
	}
	return nil
}

// called is how this binary is started from the working folder.
func (d *demo) called() string {
	self, err := os.Executable()
	if err == nil {
		if here, err := os.Getwd(); err == nil {
			if name, err := filepath.Rel(here, self); err == nil && !strings.HasPrefix(name, "..") {
				return "." + string(filepath.Separator) + name
			}
		}
	}
	return "writ"
}

func (d *demo) title(format string, args ...any) {
	d.step++
	fmt.Fprintf(d.stdout, "\n%d. %s\n", d.step, fmt.Sprintf(format, args...))
}

// make builds and signs the servlet in a folder of the project.
func (d *demo) make(ctx context.Context, source string) (*approval.Candidate, error) {
	d.title("Build and sign %s", filepath.ToSlash(source))
	file := filepath.Join(d.dir, filepath.Base(source)+".wasm")
	made, err := toolchain.Build(ctx, toolchain.Options{Dir: filepath.Join(d.root, source), Output: file, Key: d.key, CacheDir: codeCache(d.homeFlag)})
	if err != nil {
		return nil, err
	}
	built, err := readServlet(made.Output)
	if err != nil {
		return nil, err
	}
	return d.sign(ctx, built)
}

// sign makes a servlet one of a publisher whom nobody knows.
func (d *demo) sign(ctx context.Context, file []byte) (*approval.Candidate, error) {
	signed, err := toolchain.Sign(file, toolchain.SignOptions{Key: d.key})
	if err != nil {
		return nil, err
	}
	c, err := approval.Verify(ctx, signed, "the demonstration")
	if err == nil {
		d.sayTaken(c, len(signed), "signed with a throw-away key")
	}
	return c, err
}

func (d *demo) sayTaken(c *approval.Candidate, size int, by string) {
	m := c.Servlet.Manifest()
	fmt.Fprintf(d.stdout, "   %s %s: one file, %d kB, %s, %s\n", m.Name, m.Version, size/1000, counted(len(m.Tools), "tool"), by)
}

// install shows the screen and answers it as a person would.
func (d *demo) install(ctx context.Context, c *approval.Candidate, choice approval.Choice, show bool) error {
	return d.withRegistry(func(reg *registry.Registry) error {
		plan, err := approval.Propose(ctx, reg, d.caller(), c, choice)
		if err != nil {
			return err
		}
		if show {
			d.title("Approve %s for one folder, for reading only", plan.Name)
			fmt.Fprintf(d.stdout, "%s\nType the servlet's name to approve, a number to narrow, n to refuse: %s\n", strings.TrimRight(plan.Text, "\n"), plan.Name)
		}
		_, err = approval.Install(ctx, reg, d.caller(), c, choice, plan.Digest)
		return err
	})
}

// serve starts `writ run` as a client would, with a secret in its environment, and calls tools.
func (d *demo) serve(ctx context.Context, playground string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	secret := rand.Text()
	outside := d.outside()
	if err := os.WriteFile(outside, []byte(secret), 0o600); err != nil {
		return err
	}
	p, err := newPrey(secret, outside, playground)
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "--home", d.homeFlag, "run")
	cmd.Env = append(os.Environ(), "WRIT_DEMO_SECRET="+secret)
	cmd.Stderr = d.stderr
	c, err := client.Stdio(ctx, cmd)
	if err != nil {
		return err
	}
	err = d.call(ctx, c)
	if err == nil {
		err = d.attack(ctx, c, p)
	}
	return errors.Join(err, c.Close())
}

func (d *demo) call(ctx context.Context, c *client.Client) error {
	server := c.Discover()
	d.title("Serve it: an MCP client starts `writ run`, discovers %s %s (MCP %s) and lists its tools", server.Name, server.Version, server.Protocol)
	tools, err := c.ListTools(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, t := range tools {
		names = append(names, t.Name)
	}
	fmt.Fprintf(d.stdout, "   %s\n", strings.Join(names, "\n   "))
	const tool, path = "filesystem_read_text_file", "/docs/welcome.txt"
	d.title("Call %s {\"path\":%q}", tool, path)
	answer, err := c.Call(ctx, tool, map[string]any{"path": path})
	if err != nil {
		return err
	}
	if answer.IsError || strings.TrimSpace(answer.Text) == "" {
		return fmt.Errorf("calling %s: %s", tool, capabilities.Printable(answer.Text, maxErrorRunes))
	}
	fmt.Fprintf(d.stdout, "   | %s\n", strings.ReplaceAll(printableLines(strings.TrimSpace(answer.Text)), "\n", "\n   | "))
	return nil
}
