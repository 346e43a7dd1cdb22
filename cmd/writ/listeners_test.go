package main

import (
	"bytes"
	"context"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"

	"github.com/writ-run/writ/host/mcpserver"
)

// What this process serves at is known to the guard of every call, which then dials none of it.
func TestOwnListenersAreNeverDialled(t *testing.T) {
	var said bytes.Buffer
	a := &app{stderr: &said, stdout: &said, homeFlag: filepath.Join(t.TempDir(), "home"), getenv: func(string) string { return "" }}
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	a.observed.register(flags)
	a.observed.registerAccess(flags)
	a.observed.metricsAt = "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var at []netip.AddrPort
	err := a.withServer(ctx, func(s *mcpserver.Server) error {
		cancel() // serving ends as soon as it has begun
		err := a.serve(ctx, s, &served{listen: "127.0.0.1:0"})
		at = a.network.Listeners.Addresses()
		return err
	})
	if err != nil || len(at) != 2 {
		t.Fatalf("%v, listeners %v, want those of the metrics and of clients\n%s", err, at, &said)
	}
	for _, one := range at {
		if !one.Addr().IsLoopback() || one.Port() == 0 {
			t.Errorf("a listener at %v", one)
		}
	}
}
