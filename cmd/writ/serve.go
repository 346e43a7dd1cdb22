package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/registry"
)

// served is where and for whom a server serves.
type served struct {
	listen      string
	certFile    string
	keyFile     string
	publicURL   string
	behindProxy bool
	proxyFrom   []string
	requireKey  bool
	anonymous   int
	drain       time.Duration

	public      *url.URL       // of publicURL; nil: not given
	proxies     []netip.Prefix // of proxyFrom
	certificate *certificate   // of certFile and keyFile; nil: not given
}

func (a *app) serveVerb() *cobra.Command {
	var s served
	cmd := &cobra.Command{
		Use: "serve", Args: takes,
		Short: "Serve MCP clients over Streamable HTTP",
		Long: `Serve MCP clients over Streamable HTTP at /mcp (space default) and
/s/SPACE/mcp. On loopback, as long as no key was ever made with ` + "`writ key`" + `,
every program and user of this machine can call what you granted; from the
first key on, every client needs one.

Other machines are served only with keys and TLS 1.3:

  writ key create laptop
  writ serve --listen 0.0.0.0:8443 --cert server.pem --key-file server.key

or behind a proxy that ends TLS and passes the Host header on:

  writ serve --behind-proxy --public-url https://tools.acme.test

If the proxy is another machine, --listen an address that it reaches, and
name the proxy with --proxy-from: others are refused.

Certificates are read again when their files change, and on SIGHUP. SIGTERM
lets running calls finish for --drain; a second one ends them.`,
		Example: "  writ serve\n  writ serve --listen 127.0.0.1:8080",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("space") {
				return usagef("--space: a server serves every space, each at /s/SPACE/mcp")
			}
			if err := s.check(); err != nil {
				return err
			}
			return a.withServer(cmd.Context(), func(server *mcpserver.Server) error {
				return a.serve(cmd.Context(), server, &s)
			}, s.configure(cmd.Context()))
		},
	}
	flags := cmd.Flags()
	a.observed.register(flags)
	a.observed.registerAccess(flags)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:8787", "address and port; port 0 picks a free one")
	flags.StringVar(&s.certFile, "cert", "", "PEM file of the server's certificate and its chain")
	flags.StringVar(&s.keyFile, "key-file", "", "PEM file of the certificate's private key")
	flags.StringVar(&s.publicURL, "public-url", "", "address that clients use, such as https://tools.acme.test; requests under other names are refused")
	flags.BoolVar(&s.behindProxy, "behind-proxy", false, "TLS ends at a proxy before this server; needs --public-url")
	flags.StringSliceVar(&s.proxyFrom, "proxy-from", nil, "address or CIDR of the proxy, such as 10.0.0.0/24; requests from others are refused (repeat, or separate by commas)")
	flags.BoolVar(&s.requireKey, "require-key", false, "let nobody in without a key, also while there is none")
	flags.IntVar(&s.anonymous, "anonymous-status", 421, "HTTP status for a request without a key: 421 tells a stranger nothing, 401 asks for one")
	flags.DurationVar(&s.drain, "drain", 5*time.Second, "for how long running calls may go on after SIGTERM")
	return cmd
}

// check refuses what cannot be served, before anything is opened.
func (s *served) check() error {
	name, port, err := net.SplitHostPort(s.listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	ip := net.ParseIP(name)
	if err != nil || name != "" && name != "localhost" && ip == nil {
		return usagef("--listen %s: want ADDRESS:PORT, such as 127.0.0.1:8787", s.listen)
	}
	switch {
	case s.anonymous != 401 && s.anonymous != 421:
		return usagef("--anonymous-status %d: want 401 or 421", s.anonymous)
	case s.drain < 0 || s.drain > time.Hour:
		return usagef("--drain %s: want a time of at most 1h", s.drain)
	case (s.certFile == "") != (s.keyFile == ""):
		return usagef("--cert and --key-file go together: give both, or none")
	case s.behindProxy && s.certFile != "":
		return usagef("--behind-proxy: TLS ends at the proxy or here (--cert), not at both")
	case s.behindProxy && s.publicURL == "":
		return usagef("--behind-proxy: say with --public-url under which address the proxy serves this")
	}
	if err := s.readProxies(); err != nil {
		return err
	}
	if err := s.readPublicURL(); err != nil {
		return err
	}
	if s.certFile != "" {
		s.certificate = &certificate{certFile: s.certFile, keyFile: s.keyFile}
		if s.public != nil {
			s.certificate.host = s.public.Hostname()
		}
		if err := s.certificate.load(); err != nil {
			return usagef("reading the certificate: %w", err)
		}
	}
	if loopback := name == "localhost" || ip.IsLoopback(); !loopback && s.certificate == nil && !s.behindProxy {
		return deniedError{fmt.Errorf("--listen %s: beyond loopback, clients need a key (`writ key create NAME`) and TLS: give --cert FILE and --key-file FILE, or --behind-proxy and --public-url URL", s.listen)}
	}
	return nil
}

func (s *served) readProxies() error {
	if len(s.proxyFrom) > 0 && !s.behindProxy {
		return usagef("--proxy-from: it says where the proxy of --behind-proxy is; give both")
	}
	for _, text := range s.proxyFrom {
		prefix, err := netip.ParsePrefix(text)
		if ip, wrong := netip.ParseAddr(text); wrong == nil && ip.Zone() == "" {
			prefix, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return usagef("--proxy-from %s: want an address or CIDR, such as 10.0.0.5 or 10.0.0.0/24", text)
		}
		s.proxies = append(s.proxies, prefix.Masked())
	}
	return nil
}

func (s *served) readPublicURL() error {
	if s.publicURL == "" {
		return nil
	}
	u, err := url.Parse(s.publicURL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return usagef("--public-url %s: want https://NAME or https://NAME:PORT, without a path", s.publicURL)
	}
	if s.certFile == "" && !s.behindProxy {
		return usagef("--public-url: its TLS has to end somewhere: give --cert and --key-file, or --behind-proxy")
	}
	s.public = u
	return nil
}

// configure is the server's configuration over an open home. It refuses a server that would let nobody in.
func (s *served) configure(ctx context.Context) func(*registry.Registry, *mcpserver.Config) error {
	return func(reg *registry.Registry, cfg *mcpserver.Config) error {
		cfg.Drain = max(s.drain, time.Nanosecond) // zero would be the usual time
		cfg.Access = mcpserver.Access{
			Keys: reg, Require: s.requireKey || !s.onLoopback(), Public: s.public, Proxied: s.behindProxy, ProxyFrom: s.proxies, Anonymous: s.anonymous,
		}
		if s.certificate != nil {
			cfg.Access.Certificate = s.certificate.get
		}
		if !cfg.Access.Require && s.public == nil {
			return nil
		}
		any, err := reg.HasKeys(ctx)
		if err == nil && !any {
			err = deniedError{errors.New("clients need a key here, and there is none: make one with `writ key create NAME`")}
		}
		return err
	}
}

func (s *served) onLoopback() bool {
	name, _, _ := net.SplitHostPort(s.listen)
	return name == "localhost" || net.ParseIP(name).IsLoopback()
}

// serve listens, says where, and serves until ctx ends.
func (a *app) serve(ctx context.Context, server *mcpserver.Server, s *served) error {
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return fmt.Errorf("listening: %v: choose another port with --listen, or 0 for a free one", err)
	}
	a.network.Listeners.Add(l.Addr().String())
	following, stop := context.WithCancel(ctx)
	var follower sync.WaitGroup
	defer follower.Wait()
	defer stop()
	scheme := "http"
	if s.certificate != nil {
		scheme = "https"
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGHUP)
		defer signal.Stop(asked)
		follower.Go(func() { s.certificate.follow(following, asked, a.logger()) })
	}
	if s.public != nil {
		a.say("serving %s://%s/mcp on %s", s.public.Scheme, s.public.Host, l.Addr())
	} else {
		a.say("serving %s://%s/mcp", scheme, l.Addr())
	}
	if s.behindProxy && !s.onLoopback() && len(s.proxies) == 0 {
		a.say("warning: whoever reaches %s beside the proxy sends keys in the clear, and any address as its own: listen on loopback, or give --proxy-from CIDR", l.Addr())
	}
	return server.ServeHTTP(ctx, l)
}
