package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/host/metrics"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/vault"
)

// homeDir is the folder that --home, WRIT_HOME or the system's convention names, in that order.
func (a *app) homeDir() (string, error) {
	for _, dir := range []string{a.homeFlag, a.getenv("WRIT_HOME")} {
		if dir != "" {
			return filepath.Abs(dir)
		}
	}
	if dir := a.getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "writ"), nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", usagef("no home folder is known: name one with --home DIR")
	}
	switch runtime.GOOS {
	case "darwin":
		return filepath.Join(user, "Library", "Application Support", "writ"), nil
	case "windows":
		if dir := a.getenv("LocalAppData"); filepath.IsAbs(dir) {
			return filepath.Join(dir, "writ"), nil
		}
		return filepath.Join(user, "AppData", "Local", "writ"), nil
	}
	return filepath.Join(user, ".local", "share", "writ"), nil
}

// withRegistry runs f with the home opened, and closes it.
func (a *app) withRegistry(f func(*registry.Registry) error) error {
	dir, err := a.homeDir()
	if err != nil {
		return err
	}
	opts := registry.Options{Passphrase: a.askPassphrase(), LockTimeout: a.observed.times.Store}
	if a.getenv != nil {
		opts.Keyring = vault.SystemKeyring(a.getenv)
	}
	reg, err := registry.Open(dir, &opts)
	if err != nil {
		return err
	}
	if a.passphrases != nil {
		err = reg.UnlockSecrets(context.Background()) // a wrong passphrase is known now, not at some call
	}
	if err == nil {
		err = f(reg)
	}
	return errors.Join(err, reg.Close())
}

// codeCache is the folder of compiled code in a home, or "" in a home that cannot be written, which still
// answers.
func codeCache(home string) string {
	dir := filepath.Join(home, "cache", "code")
	if err := os.MkdirAll(dir, 0o700); errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return ""
	}
	return dir
}

// newEngine makes the engine of a home. What is in no cache is compiled by a process of its own.
func (a *app) newEngine(ctx context.Context, reg *registry.Registry) (*sandbox.Engine, error) {
	return a.newEngineIn(ctx, codeCache(reg.Home()))
}

// newEngineIn makes an engine with a folder of compiled code.
func (a *app) newEngineIn(ctx context.Context, cache string) (*sandbox.Engine, error) {
	log := a.logger()
	return sandbox.New(ctx, sandbox.Config{
		CacheDir: cache, Logger: log,
		Compiler: func(ctx context.Context, job sandbox.Job) error { return compileApart(ctx, job, log) },
	})
}

// closeWait is how long running calls may take to end once the command is done.
const closeWait = 5 * time.Second

// withTools runs f with what is installed in the space and the tools that clients see of it.
func (a *app) withTools(ctx context.Context, f func(*registry.Registry, *host.Host, []registry.Installation, []host.Tool) error) error {
	return a.withHost(ctx, func(reg *registry.Registry, h *host.Host) error {
		all, err := reg.List(ctx, a.caller())
		if err != nil {
			return err
		}
		tools, err := h.Tools(ctx, a.caller())
		if err != nil {
			return err
		}
		return f(reg, h, all, tools)
	})
}

// withServer runs f with an MCP server over the home; its warnings go to the log.
func (a *app) withServer(ctx context.Context, f func(*mcpserver.Server) error, configure ...func(*registry.Registry, *mcpserver.Config) error) error {
	a.serving = true
	a.network.Listeners = new(guard.Listeners)
	if err := a.observed.check(); err != nil {
		return err
	}
	if a.observed.metricsAt != "" {
		a.observed.set = metrics.New(host.Statuses()...)
	}
	return a.withHost(ctx, func(reg *registry.Registry, h *host.Host) error {
		cfg := mcpserver.Config{Host: h, Version: buildVersion(), Logger: a.logger()}
		for _, set := range configure {
			if err := set(reg, &cfg); err != nil {
				return err
			}
		}
		a.watch(reg, &cfg)
		s, err := mcpserver.New(cfg)
		if err != nil {
			return err
		}
		return a.withMetrics(ctx, reg, func() error { return f(s) })
	})
}

// withHost runs f with a Host over the home, and closes both.
func (a *app) withHost(ctx context.Context, f func(*registry.Registry, *host.Host) error) error {
	defer a.easeStart()()
	return a.withRegistry(func(reg *registry.Registry) error {
		return a.withLogs(reg.Home(), func() error {
			return a.over(ctx, reg, func(h *host.Host) error { return f(reg, h) })
		})
	})
}

// over runs f with a Host over an open home, and closes the Host.
func (a *app) over(ctx context.Context, reg *registry.Registry, f func(*host.Host) error) error {
	engine, err := a.newEngine(ctx, reg)
	if err != nil {
		return err
	}
	cfg, err := a.hostConfig(reg, engine)
	var h *host.Host
	if err == nil {
		h, err = host.New(cfg)
	}
	if err != nil {
		return errors.Join(err, engine.Close(context.WithoutCancel(ctx)))
	}
	err = f(h)
	// Closing outlives an interrupt, but not for ever: what still runs then ends with the process.
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	if left := h.Close(closing); left != nil {
		return errors.Join(err, left)
	}
	return errors.Join(err, engine.Close(closing))
}
