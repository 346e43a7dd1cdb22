package capabilities_test

import (
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

func lines(powers []capabilities.Power) string {
	var b strings.Builder
	for _, p := range powers {
		b.WriteString(string(p.Kind) + " " + p.ID + " | " + string(p.Status) + " | " + p.Text + "\n")
	}
	return b.String()
}

func TestPowersBeforeAndAfterApproval(t *testing.T) {
	s := mustOpen(t, seal(t, sample()))
	m := s.Manifest()
	importable := []capabilities.Kind{capabilities.KindFS, capabilities.KindHTTP, capabilities.KindConfig, capabilities.KindKV}
	everything := granted(s).Rights
	narrow := capabilities.Rights{
		Tools: []string{"read"},
		FS:    map[string]capabilities.FSRight{"docs": {Guest: "/docs", Path: "/home/ana/\x1b[2Jnotes", Mode: capabilities.ModeRead}},
		HTTP:  map[string]capabilities.HTTPRight{"own": {Origin: "https://git.ana.test", Methods: []string{"GET"}, Paths: []string{"/x/"}, Private: worldNets[:2]}},
	}
	for _, c := range []struct {
		name    string
		granted *capabilities.Rights
		want    string
	}{
		{"before approval", nil, `
fs docs | asked | read and change one folder
fs more | asked | read one folder
http api | asked | GET POST https://api.acme.test/v1/
http own | asked | GET one site that you choose: /
web  | impossible | fetch any public web page
config UNITS | asked | read setting UNITS
config PLACE | asked | read setting PLACE
secret  | impossible | use secrets
kv  | not granted | keep data between calls
`},
		{"everything granted", &everything, `
fs docs | granted | read and change /home/ana/notes
fs more | granted | read /srv/more
http api | granted | GET POST https://api.acme.test/v1/
http own | granted | GET https://git.ana.test/
web  | impossible | fetch any public web page
config UNITS | granted | read setting UNITS
config PLACE | granted | read setting PLACE
secret  | impossible | use secrets
kv  | not granted | keep data between calls
`},
		{"narrowed; refused powers say what was asked", &narrow, `
fs docs | granted | read /home/ana/\u001b[2Jnotes
fs more | not granted | read one folder
http api | not granted | GET POST https://api.acme.test/v1/
http own | granted | GET https://git.ana.test/x/, also in private networks 10.0.0.0/8 10.1.0.0/16
web  | impossible | fetch any public web page
config UNITS | not granted | read setting UNITS
config PLACE | not granted | read setting PLACE
secret  | impossible | use secrets
kv  | not granted | keep data between calls
`},
		{"nothing granted", &capabilities.Rights{}, `
fs docs | not granted | read and change one folder
fs more | not granted | read one folder
http api | not granted | GET POST https://api.acme.test/v1/
http own | not granted | GET one site that you choose: /
web  | impossible | fetch any public web page
config UNITS | not granted | read setting UNITS
config PLACE | not granted | read setting PLACE
secret  | impossible | use secrets
kv  | not granted | keep data between calls
`},
	} {
		if got := "\n" + lines(capabilities.Powers(m, importable, c.granted)); got != c.want {
			t.Errorf("%s: got%swant%s", c.name, got, c.want)
		}
	}
}

func TestPowersOfOtherKinds(t *testing.T) {
	m := capabilities.Manifest{Capabilities: capabilities.Capabilities{
		Web:     &capabilities.Web{Methods: []string{"GET", "HEAD"}},
		Secrets: []capabilities.Secret{{Key: "KEY", Use: "egress"}, {Key: "TOKEN", Use: "guest"}},
		KV:      &capabilities.KV{QuotaKB: 256, Scope: "caller"},
	}}
	g := capabilities.Requested(m)
	g.KV = &capabilities.KVRight{QuotaKB: 64, Scope: "caller", ReadOnly: true}
	delete(g.Secret, "TOKEN")
	want := `
fs  | impossible | open files or folders
http  | impossible | call a web service
web web | granted | GET HEAD any public web page
config  | impossible | read settings
secret KEY | granted | send secret KEY to the service it belongs to, without seeing it
secret TOKEN | not granted | read secret TOKEN
kv kv | granted | read up to 64 KB of its own data, apart for each caller
`
	if got := "\n" + lines(capabilities.Powers(m, nil, &g)); got != want {
		t.Errorf("got%swant%s", got, want)
	}
}
