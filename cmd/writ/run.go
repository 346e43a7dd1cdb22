package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/host/mcpserver"
)

func (a *app) runVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use: "run", Args: takes,
		Short: "Serve one MCP client on standard input and output",
		Long: `Serve one MCP client on standard input and output. This is what a client's
configuration starts; it ends when the client closes its end.`,
		Example: "  writ run\n  writ run --space work",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.interactive() {
				a.say("waiting for an MCP client on standard input: a client's configuration starts this command")
			}
			return a.withServer(cmd.Context(), func(s *mcpserver.Server) error {
				return s.ServeStdio(cmd.Context(), a.space, a.stdin, nopCloser{a.stdout})
			})
		},
	}
	a.observed.register(cmd.Flags())
	return cmd
}

// nopCloser keeps standard output open for whoever owns it.
type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
