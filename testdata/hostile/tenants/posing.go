package tenants

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var posing = attack.Row{
	ID:      "L146",
	Title:   "another space's name in headers, _meta, the client's name, arguments and sessions, and its keys",
	Mutants: []string{"front-space", "front-endpoint", "records-by-space", "key-space", "key-needed", "key-hash", "key-revoked", "session-owner"},
	Run: func(r *attack.Report) {
		h, err := target.NewHome(host.Config{})
		if err != nil {
			r.Variant("a home", func() error { return err })
			return
		}
		for _, space := range []string{mine, yours, capabilities.DefaultSpace} {
			m := target.Manifest("acme/who")
			m.Tools = []json.RawMessage{json.RawMessage(`{"description":"Says where it is","name":"go","inputSchema":{"type":"object","properties":{"space":{"type":"string"},"tenant":{"type":"string"}}}}`)}
			if _, err := h.Install(space, "who", target.Saying("this is "+space), m); err != nil {
				r.Variant("installing", func() error { return err })
				return
			}
		}
		s, err := target.Serve(h.Host)
		if err != nil {
			r.Variant("a server", func() error { return err })
			return
		}
		// The other space was used before, so that everything of it exists.
		r.Variant("the control: the other space's own client", func() error { return answered(s, target.Ask{Space: yours}, yours) })
		for _, space := range []string{mine, ""} {
			is := space
			if is == "" {
				is = capabilities.DefaultSpace
			}
			for name, ask := range poses() {
				r.Variant(fmt.Sprintf("%s, at the endpoint of %s", name, is), func() error {
					ask.Space = space
					return answered(s, ask, is)
				})
			}
		}
		r.Variant("a session of another space", func() error { return foreignSession(s) })
		r.Variant("the server lives", s.Stop)
		withKeys(r, h)
	},
}

// poses are requests that say that they are of another space.
func poses() map[string]target.Ask {
	list := map[string]target.Ask{
		"arguments":     {Arguments: `{"space":"yours","tenant":"yours"}`},
		"_meta":         {Meta: `,"space":"yours","tenant":"yours","run.writ/space":"yours","io.modelcontextprotocol/space":"yours"`},
		"clientInfo":    {Client: "yours"},
		"a bearer":      {Header: http.Header{"Authorization": {"Bearer yours"}}},
		"a cookie":      {Header: http.Header{"Cookie": {"space=yours; tenant=yours; session=yours"}}},
		"basic":         {Header: http.Header{"Authorization": {"Basic eW91cnM6eW91cnM="}}},
		"every of them": {Arguments: `{"space":"yours"}`, Meta: `,"space":"yours"`, Client: "yours", Header: http.Header{"X-Writ-Space": {yours}}},
	}
	for _, name := range []string{
		"X-Writ-Space", "Writ-Space", "X-Space", "X-Tenant", "X-Tenant-Id", "Mcp-Space", "Mcp-Tenant", "Mcp-Param-Space", "X-User", "X-Remote-User",
		"X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix",
	} {
		value := yours
		if strings.HasSuffix(name, "URL") || strings.HasSuffix(name, "Prefix") {
			value = "/s/yours/mcp"
		}
		list[name] = target.Ask{Header: http.Header{name: {value}}}
	}
	return list
}

// answered wants the endpoint's own space to answer.
func answered(s *target.Server, ask target.Ask, space string) error {
	ask.Name = "who_go"
	text, err := s.Text(ask)
	if err != nil || text != "this is "+space {
		return errors.Join(err, fmt.Errorf("answered %q; want the space %s", text, space))
	}
	return nil
}

// foreignSession uses the session of one space at the endpoint of another.
func foreignSession(s *target.Server) error {
	session, err := s.Session(mine)
	if err != nil {
		return err
	}
	if status, answer, err := s.InSession(mine, session, "who_go"); err != nil || status != 200 || !strings.Contains(answer, "this is mine") {
		return errors.Join(err, fmt.Errorf("at its own endpoint: status %d: %.200s", status, answer))
	}
	status, answer, err := s.InSession(yours, session, "who_go")
	if err == nil && (status != 404 || strings.Contains(answer, "this is")) {
		err = fmt.Errorf("at another endpoint: status %d: %.200s", status, answer)
	}
	return err
}
