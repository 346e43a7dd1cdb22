package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/host/mcpserver"
)

func (a *app) serveVerb() *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use: "serve", Args: takes,
		Short: "Serve MCP clients over Streamable HTTP on this machine",
		Long: `Serve MCP clients over Streamable HTTP at /mcp (space default) and
/s/SPACE/mcp. Only loopback addresses are served: there is no authentication
yet, so every program and user of this machine can call what you granted.`,
		Example: "  writ serve\n  writ serve --listen 127.0.0.1:8080",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("space") {
				return usagef("--space: a server serves every space, each at /s/SPACE/mcp")
			}
			if err := loopbackOnly(listen); err != nil {
				return err
			}
			return a.withServer(cmd.Context(), func(s *mcpserver.Server) error {
				l, err := net.Listen("tcp", listen)
				if err != nil {
					return fmt.Errorf("listening: %v: choose another port with --listen, or 0 for a free one", err)
				}
				a.say("serving http://%s/mcp", l.Addr())
				return s.ServeHTTP(cmd.Context(), l)
			})
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8787", "loopback address and port; port 0 picks a free one")
	return cmd
}

// loopbackOnly refuses an address that others could reach, before anything listens on it.
func loopbackOnly(address string) error {
	name, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usagef("--listen %s: want ADDRESS:PORT, such as 127.0.0.1:8787", address)
	}
	if ip := net.ParseIP(name); name == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return deniedError{errors.New("--listen " + address + ": only loopback addresses (127.0.0.1, [::1]) are served: there is no authentication yet")}
}
