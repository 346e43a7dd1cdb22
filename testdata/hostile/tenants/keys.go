package tenants

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

// withKeys lets one tenant try to be another where clients have keys.
func withKeys(r *attack.Report, h *target.Home) {
	keys := map[string]string{}
	made := func(name, space string) error {
		text, _, err := h.Registry.CreateKey(context.Background(), capabilities.Local(space), registry.KeySpec{
			Name: name, Spaces: []string{space}, Role: capabilities.RoleUser,
		})
		keys[name] = text
		return err
	}
	err := errors.Join(made("mine", mine), made("yours", yours), made("colleague", mine), made("revoked", yours))
	if err == nil {
		_, err = h.Registry.RevokeKey(context.Background(), capabilities.Local(yours), "revoked")
	}
	var s *target.Server
	if err == nil {
		s, err = target.ServeAs(h.Host, mcpserver.Access{Keys: h.Registry})
	}
	if err != nil {
		r.Variant("a server with keys", func() error { return err })
		return
	}
	r.Variant("the control: the other tenant with its key", func() error {
		return answered(s, target.Ask{Space: yours, Header: bearer(keys["yours"])}, yours)
	})
	const named, checked = len("writ_") + 13, 6
	own := keys["mine"]
	forged := withChecksum(keys["yours"][:named] + own[named:len(own)-checked])
	for name, header := range map[string]http.Header{
		"no key": {}, "the key of another space": bearer(keys["mine"]), "a revoked key": bearer(keys["revoked"]),
		"a key under another's id": bearer(forged), "an id alone": bearer(keys["yours"][:named]), "a hash": bearer(strings.Repeat("0", 64)),
		"two keys": {"Authorization": {"Bearer " + keys["mine"], "Bearer " + keys["yours"]}},
	} {
		r.Variant(name, func() error {
			status, answer, err := s.Do(target.Ask{Space: yours, Method: "tools/call", Name: "who_go", Header: header})
			if err == nil && (status < 400 || strings.Contains(answer, "this is")) {
				err = fmt.Errorf("status %d: %.200s", status, answer)
			}
			return err
		})
	}
	r.Variant("the session of a colleague", func() error {
		session, err := s.SessionAs(mine, bearer(keys["mine"]))
		if err != nil {
			return err
		}
		if status, answer, err := s.InSessionAs(mine, session, "who_go", bearer(keys["mine"])); err != nil || status != 200 || !strings.Contains(answer, "this is mine") {
			return errors.Join(err, fmt.Errorf("its own: status %d: %.200s", status, answer))
		}
		status, answer, err := s.InSessionAs(mine, session, "who_go", bearer(keys["colleague"]))
		if err == nil && (status != 404 || strings.Contains(answer, "this is")) {
			err = fmt.Errorf("status %d: %.200s", status, answer)
		}
		return err
	})
	r.Variant("the server with keys lives", s.Stop)
}

// withChecksum makes a text one of the form of keys, which anyone can.
func withChecksum(body string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	sum := crc32.ChecksumIEEE([]byte(body))
	for range 6 {
		body += string(digits[sum%62])
		sum /= 62
	}
	return body
}

func bearer(key string) http.Header { return http.Header{"Authorization": {"Bearer " + key}} }
