//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/testdata/client"
	"github.com/writ-run/writ/testdata/driver"
	"github.com/writ-run/writ/testdata/pyclient"
	"github.com/writ-run/writ/testdata/tsclient"
)

// everyClient are the official clients, with the protocol eras that they know.
var everyClient = []struct {
	name string
	eras []client.Era
	bare bool // of a refusal it shows the status alone
	try  func(testing.TB, ...driver.Job) []driver.Output
}{
	{"Go", []client.Era{client.Modern, client.Sessions}, true, tryGo},
	{"Python", []client.Era{client.Modern, client.Sessions}, false, pyclient.Client().Try},
	{"TypeScript", []client.Era{client.Sessions}, false, tsclient.Client().Try},
}

// door is a way to a server.
type door struct {
	name   string
	target driver.Target
	status int    // of a refusal; 0: it is open
	reason string // in its answer
}

// shows is what a client has to say of a refusal.
func (d door) shows(bare bool) string {
	if bare {
		return http.StatusText(d.status)
	}
	return d.reason
}

// TestEveryClientThroughEveryDoor has the official clients of three languages use tools over stdio, over
// HTTP where no key was ever made, and with a key; and be refused, and say why, without a key, with a
// wrong one and with that of another space.
func TestEveryClientThroughEveryDoor(t *testing.T) {
	open, _ := home(t)
	keyed, _ := home(t)
	key, other := writ(t, keyed, "key", "create", "laptop"), writ(t, keyed, "key", "create", "desk", "--space", "work")
	wrong := writ(t, filepath.Join(t.TempDir(), "elsewhere"), "key", "create", "laptop")
	url := "http://" + startServer(t, keyed).address + "/mcp"
	bearer := func(key string) driver.Target {
		return driver.Target{URL: url, Headers: map[string]string{"Authorization": "Bearer " + key}}
	}
	doors := []door{
		{"stdio", driver.Target{Command: built.writ, Args: []string{"--home", open, "run"}}, 0, ""},
		{"HTTP, no key made", driver.Target{URL: "http://" + startServer(t, open).address + "/mcp"}, 0, ""},
		{"HTTP, a key", bearer(key), 0, ""},
		{"HTTP, no key sent", driver.Target{URL: url}, http.StatusMisdirectedRequest, "no MCP server answers here without a key"},
		{"HTTP, a wrong key", bearer(wrong), http.StatusUnauthorized, "the key is not valid; send Authorization: Bearer"},
		{"HTTP, a key of another space", bearer(other), http.StatusForbidden, `the key is not for the space "default"`},
	}
	for _, c := range everyClient {
		t.Run(c.name, func(t *testing.T) {
			var jobs []driver.Job
			for _, era := range c.eras {
				for _, d := range doors {
					d.target.Era = string(era)
					jobs = append(jobs, driver.Job{Target: d.target, Steps: visit})
				}
			}
			for i, out := range c.try(t, jobs...) {
				d := doors[i%len(doors)]
				t.Run(d.name+", "+jobs[i].Target.Era, func(t *testing.T) {
					if d.status == 0 {
						visited(t, out, jobs[i].Target.Era)
						return
					}
					if out.Refused == nil || len(out.Steps) != 0 {
						t.Fatalf("it was let in: %+v", out)
					}
					if said := strings.ReplaceAll(out.Refused.Message, `\"`, `"`); !strings.Contains(said, d.shows(c.bare)) {
						t.Errorf("refused with %q, want %q", said, d.shows(c.bare))
					}
				})
			}
		})
	}
}

// visit is what a client asks for behind a door; visited judges the answers.
var visit = []driver.Step{
	driver.List(),
	driver.Call("filesystem_read_text_file", map[string]string{"path": "/docs/today.txt"}),
	driver.Call("filesystem_read_text_file", map[string]string{"path": "/etc/passwd"}),
	driver.Call("filesystem_nosuch", nil),
}

func visited(t *testing.T, out driver.Output, era string) {
	t.Helper()
	if out.Refused != nil || len(out.Steps) != len(visit) {
		t.Fatalf("refused: %+v, %d answers", out.Refused, len(out.Steps))
	}
	if out.Server.Name != "writ" || len(out.Faults) != 0 || out.Protocol != "" && out.Protocol != era {
		t.Errorf("server %q, protocol %q, faults %q", out.Server.Name, out.Protocol, out.Faults)
	}
	for i, want := range []string{`"filesystem_read_text_file"`, "water the plants", `"isError":true`} {
		result := strings.ReplaceAll(string(out.Steps[i].Result), `": `, `":`)
		if out.Steps[i].Error != nil || !strings.Contains(result, want) {
			t.Errorf("request %d: %s, %+v, want %s", i, result, out.Steps[i].Error, want)
		}
	}
	if strings.Contains(string(out.Steps[2].Result), "root:") {
		t.Error("a file outside was read")
	}
	if e := out.Steps[3].Error; e == nil || e.Code != -32602 {
		t.Errorf("an unknown tool: %+v, want -32602", e)
	}
}

// tryGo does what [driver.Client.Try] does with the official Go client, in this process.
func tryGo(t testing.TB, jobs ...driver.Job) []driver.Output {
	t.Helper()
	var outputs []driver.Output
	for _, job := range jobs {
		c, err := connectGo(t, job.Target)
		if err != nil {
			outputs = append(outputs, driver.Output{Refused: faultOf(err)})
			continue
		}
		said := c.Discover()
		out := driver.Output{Protocol: said.Protocol}
		out.Server.Name = said.Name
		for _, step := range job.Steps {
			var result any
			if step.Do == "list" {
				result, err = c.ListTools(t.Context())
			} else {
				var answer client.Result
				answer, err = c.Call(t.Context(), step.Tool, step.Arguments)
				result = answer.Raw
			}
			done := driver.Done{Error: faultOf(err)}
			if err == nil {
				if done.Result, err = json.Marshal(result); err != nil {
					t.Fatal(err)
				}
			}
			out.Steps = append(out.Steps, done)
		}
		if err := c.Close(); err != nil {
			out.Faults = append(out.Faults, err.Error())
		}
		outputs = append(outputs, out)
	}
	return outputs
}

func connectGo(t testing.TB, target driver.Target) (*client.Client, error) {
	cfg := client.Config{Era: client.Era(target.Era), Header: http.Header{}}
	for name, value := range target.Headers {
		cfg.Header.Set(name, value)
	}
	if target.URL != "" {
		return cfg.HTTP(t.Context(), target.URL)
	}
	return cfg.Stdio(t.Context(), exec.Command(target.Command, target.Args...))
}

func faultOf(err error) *driver.Error {
	if err == nil {
		return nil
	}
	return &driver.Error{Code: int(client.Code(err)), Message: err.Error()}
}
