package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

// reel is a tape that keeps what it sees, and answers as it is told.
type reel struct {
	seen   []guard.Sent
	got    []guard.Answered
	answer func(guard.Sent) (guard.Answered, error) // nil: the network's
}

func (r *reel) Exchange(_ context.Context, sent guard.Sent, send func() (guard.Answered, error)) (guard.Answered, error) {
	r.seen = append(r.seen, sent)
	if r.answer != nil {
		return r.answer(sent)
	}
	a, err := send()
	r.got = append(r.got, a)
	return a, err
}

// What a tape sees never has a secret in it, whatever the server repeats; the server got it all the same.
func TestTapeSeesNoSecret(t *testing.T) {
	reached := ""
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		reached = r.Header.Get("Authorization")
		w.Header().Set("Etag", reached)
		w.Header().Set("Location", "/v1/"+"x?echo=s3cr3t")
		fmt.Fprintf(w, "you sent %s", reached)
	})
	tape := &reel{}
	u.network.Tape = tape
	g, _ := u.signedIn(t, bearer, safe{"KEY": "s3cr3t-word"})
	resp, err := g.Fetch(t.Context(), get("/v1/x"))
	if err != nil || reached != "Bearer s3cr3t-word" || string(resp.Body) != "you sent [secret]" {
		t.Fatalf("%v %q %q", err, reached, resp.Body)
	}
	if all := fmt.Sprintf("%+v %+v", tape.seen, tape.got); strings.Contains(all, "s3cr3t-word") || len(tape.seen) != 1 {
		t.Errorf("the tape saw %s", all)
	}
	for _, f := range tape.seen[0].Header {
		if f.Name == "authorization" {
			t.Errorf("the tape saw the field %v", f)
		}
	}
}

// A tape that answers replaces the connection and nothing else: what is denied is denied before it, redirects
// are held against the grant, and nothing is dialled.
func TestTapeReplacesTheConnectionAlone(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the network was used") })
	tape := &reel{answer: func(s guard.Sent) (guard.Answered, error) {
		switch s.Path {
		case "/v1/moved":
			return guard.Answered{Status: 302, Header: []effect.Header{{Name: "Location", Value: "/v1/there"}}}, nil
		case "/v1/out":
			return guard.Answered{Status: 302, Header: []effect.Header{{Name: "Location", Value: "https://other.test/"}}}, nil
		case "/v1/gone":
			return guard.Answered{}, errors.New("not on the tape")
		case "/v1/odd":
			return guard.Answered{Status: 101}, nil
		}
		return guard.Answered{Status: 200, Header: []effect.Header{{Name: "Content-Encoding", Value: "gzip"}}, Body: []byte("as it is")}, nil
	}}
	u.network.Tape = tape
	for intent, c := range map[string]struct {
		path  string
		code  effect.Code
		body  string
		taped int
	}{
		"an answer":                {"/v1/x", effect.OK, "as it is", 1},
		"a redirect":               {"/v1/moved", effect.OK, "as it is", 2},
		"a redirect out of it":     {"/v1/out", effect.Denied, "", 1},
		"not granted":              {"/private", effect.Denied, "", 0},
		"no answer":                {"/v1/gone", effect.Unavailable, "", 1},
		"a status that is refused": {"/v1/odd", effect.Unavailable, "", 1},
	} {
		t.Run(intent, func(t *testing.T) {
			tape.seen = nil
			right := u.right()
			right.Paths = []string{"/v1/"}
			g := open(t, guard.Config{Recorder: &journal{}, Network: u.network, Policy: capabilities.Policy{
				Rights: capabilities.Rights{HTTP: map[string]capabilities.HTTPRight{"api": right}}, Limits: capabilities.Limits{HTTPCalls: 9},
			}})
			resp, err := g.Fetch(t.Context(), get(c.path))
			code := effect.OK
			if err != nil {
				code = err.Code
			}
			if code != c.code || string(resp.Body) != c.body || len(tape.seen) != c.taped {
				t.Errorf("code %d, body %q, %d on the tape", code, resp.Body, len(tape.seen))
			}
		})
	}
}
