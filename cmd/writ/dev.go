package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/host/logging"
	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/sdk/toolchain"
)

// devFlags are the flags of `writ dev`.
type devFlags struct {
	choiceFlags
	listen  string
	config  []string
	secrets string
	propose bool
}

func (a *app) devVerb() *cobra.Command {
	var f devFlags
	cmd := &cobra.Command{
		Use: "dev DIR", Args: takes,
		Short: "Build a servlet on every save, and serve it while you write it",
		Long: `Build a servlet on every save, and serve it while you write it: to the MCP client
that starts this command, on standard input and output, or over HTTP on this
machine with --listen. The client stays connected; it is told when the tools
change. A build that fails leaves the last good one in place.

Nothing is installed: the servlet lives in a throw-away home, which is deleted
at the end, and holds what the flags name, as those of "writ install" do; all
tools, unless --tools names some. Only compiled code is shared with your home.

For each call, standard error shows what it took, what the servlet logged, where
it failed in your source, and what was refused, with what would allow it.
--propose builds so that the code may ask for everything (it still gets only
what you granted), and prints the least of servlet.toml that the calls of the
session need: after each build, and at the end.`,
		Example: "  writ dev weather\n  writ dev . --listen 127.0.0.1:0 --propose",
		RunE: func(cmd *cobra.Command, args []string) error {
			// A terminal that is closed must not leave the throw-away home behind.
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGHUP)
			defer stop()
			d, err := a.newDev(ctx, args[0], f)
			if err != nil {
				return err
			}
			return d.run(ctx)
		},
	}
	f.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "", "serve over HTTP at this address of this machine, such as 127.0.0.1:0 for a free port")
	flags.StringArrayVar(&f.config, "config", nil, "value of a configuration key: KEY=VALUE")
	flags.StringVar(&f.secrets, "secrets", "", "installed servlet whose secrets this one may use, by its alias in your home")
	flags.BoolVar(&f.propose, "propose", false, "print the least of servlet.toml that the calls of the session need")
	return cmd
}

// dev is one run of `writ dev`.
type dev struct {
	*app
	source  string // folder of the servlet
	flags   devFlags
	choice  approval.Choice
	config  map[string]string
	secrets map[string]capabilities.SecretValue // by key
	house   string                              // the home of whoever runs this; nothing of it is changed but compiled code
	cache   string                              // folder of compiled code
	out     *console

	dir    string // throw-away folder, with the home
	reg    *registry.Registry
	host   *host.Host
	engine *sandbox.Engine

	now      devBuild // what is installed; changed by the goroutine that builds
	repeated bool     // the last build made what was there, and that was told; of the same goroutine
	mu       sync.Mutex
	// shown is what reports are explained by: now, as calls see it. Guarded by mu.
	shown devBuild
	calls toolchain.Session // of all builds. Guarded by mu.
	told  string            // the last proposal that was printed
}

// newDev checks the command line, and reads what it names of the home.
func (a *app) newDev(ctx context.Context, source string, f devFlags) (*dev, error) {
	if info, err := os.Stat(source); err != nil || !info.IsDir() {
		return nil, usagef("%s is no folder: name the one that has the servlet's servlet.toml", source)
	}
	if _, err := os.Stat(filepath.Join(source, "servlet.toml")); err != nil {
		return nil, usagef("%s has no servlet.toml: name a servlet's source folder, or make one with `writ new LANGUAGE NAME`", source)
	}
	choice, err := f.choice(a.space)
	if err != nil {
		return nil, err
	}
	choice.Dev = true
	if len(choice.Tools) == 0 {
		choice.Tools = []string{approval.AllTools}
	}
	d := &dev{app: a, source: source, flags: f, choice: choice, config: map[string]string{}}
	for _, pair := range f.config {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usagef("--config %s: want KEY=VALUE", pair)
		}
		if _, twice := d.config[key]; twice {
			return nil, usagef("--config %s: %s is named twice", pair, key)
		}
		if err := checkConfigValue(value); err != nil {
			return nil, usagef("--config %s: %w", key, err)
		}
		d.config[key] = value
	}
	if err := checkDevListen(f.listen); err != nil {
		return nil, err
	}
	if d.house, err = a.homeDir(); err != nil {
		return nil, err
	}
	if f.secrets != "" {
		d.secrets, err = a.secretsOf(ctx, f.secrets)
	}
	return d, err
}

// checkDevListen lets a servlet under development be served on loopback alone: whoever reaches it may call it.
func checkDevListen(listen string) error {
	if listen == "" {
		return nil
	}
	name, port, err := net.SplitHostPort(listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if ip := net.ParseIP(name); err != nil || name != "localhost" && !ip.IsLoopback() {
		return usagef("--listen %s: want an address of this machine alone and a port, such as 127.0.0.1:0", listen)
	}
	return nil
}

// secretsOf reads the secrets of an installed servlet. They are taken only by name: a source folder that
// calls itself like an installed servlet must not get what was entrusted to that one.
func (a *app) secretsOf(ctx context.Context, alias string) (map[string]capabilities.SecretValue, error) {
	values := map[string]capabilities.SecretValue{}
	err := a.withRegistry(func(reg *registry.Registry) error {
		in, err := reg.Lookup(ctx, a.caller(), alias)
		if err != nil {
			return err
		}
		all, err := reg.Secrets(ctx, a.caller(), alias)
		for _, s := range all {
			if values[s.Key], err = reg.Secret(ctx, a.caller(), in, s.Key); err != nil {
				return err
			}
		}
		return err
	})
	return values, err
}

// run makes the throw-away home, builds, and serves until the client leaves or ctx ends.
func (d *dev) run(ctx context.Context) (err error) {
	d.out = newConsole(d.stderr, d.colour())
	defer d.out.close()
	if err := d.open(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	d.network.Listeners = new(guard.Listeners)
	level := slog.LevelWarn
	if d.getenv("WRIT_LOG") == "debug" {
		level = slog.LevelDebug
	}
	lines, _ := logging.NewHandler(d.out, logging.FormatText, level, d.observed.set.Redacted)
	d.observed.log = slog.New(lines)
	engine, err := d.newEngineIn(ctx, d.cache)
	d.engine = engine
	if err != nil {
		return err
	}
	cfg, err := d.hostConfig(d.reg, engine)
	if err == nil {
		cfg.Rate, cfg.Reports, cfg.Learns, cfg.State = host.Rate{Off: true}, d.reported, d.flags.propose, []string{d.house}
		d.host, err = host.New(cfg)
	}
	if err != nil {
		return errors.Join(err, engine.Close(context.WithoutCancel(ctx)))
	}
	err = d.serveBuilds(ctx)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	if left := d.host.Close(closing); left != nil {
		return errors.Join(err, left)
	}
	d.printProposal()
	return errors.Join(err, d.forget(d.now), engine.Close(closing))
}

// firstBuild is how long a client is kept waiting for the first build: many ask for the tools once, and some
// give up on a server that does not answer.
const firstBuild = 10 * time.Second

// serveBuilds builds, and then serves and goes on building.
func (d *dev) serveBuilds(ctx context.Context) error {
	building, stop := context.WithCancel(ctx)
	var builder sync.WaitGroup
	built := make(chan struct{})
	builder.Go(func() {
		seen := d.look()
		d.build(building)
		close(built)
		d.follow(building, seen)
	})
	defer builder.Wait()
	defer stop()
	select {
	case <-built:
	case <-time.After(firstBuild):
		d.out.say("still building: a client is told of the tools when they are there")
	case <-ctx.Done():
		return nil
	}
	server, err := mcpserver.New(mcpserver.Config{
		Host: d.host, Version: buildVersion(), Logger: d.logger(),
		Access: mcpserver.Access{Keys: d.reg, Anonymous: 421},
	})
	if err != nil {
		return err
	}
	if d.flags.listen == "" {
		if d.interactive() {
			d.out.say("waiting for an MCP client on standard input: a client's configuration starts this command; --listen 127.0.0.1:0 serves one over HTTP")
		}
		return server.ServeStdio(ctx, d.space, d.stdin, nopCloser{d.stdout})
	}
	l, err := net.Listen("tcp", d.flags.listen)
	if err != nil {
		return fmt.Errorf("listening: %v: choose another port with --listen, or 0 for a free one", err)
	}
	d.network.Listeners.Add(l.Addr().String())
	path := "/mcp"
	if d.space != capabilities.DefaultSpace {
		path = "/s/" + d.space + "/mcp"
	}
	d.out.say("serving http://%s%s", l.Addr(), path)
	return server.ServeHTTP(ctx, l)
}
