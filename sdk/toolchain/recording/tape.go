package recording

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

// Player answers the exchanges of one call from its recording: each one once, whatever the order. It is a
// guard.Tape that never sends anything.
type Player struct {
	mu      sync.Mutex // guards what follows
	left    []Exchange
	played  []Exchange
	unknown []string
}

// Play makes the Player of the call of that name.
func (f File) Play(call string) *Player {
	p := &Player{}
	for _, e := range f.Exchanges {
		if e.Call == call {
			p.left = append(p.left, e)
		}
	}
	return p
}

var errUnrecorded = errors.New("the request is not recorded")

// Exchange implements guard.Tape.
func (p *Player) Exchange(_ context.Context, sent guard.Sent, _ func() (guard.Answered, error)) (guard.Answered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	best, least := "", 1<<30
	for i, e := range p.left {
		weight, what := e.differs(sent)
		if weight == 0 {
			p.left = slices.Delete(p.left, i, i+1)
			p.played = append(p.played, e)
			return e.answered()
		}
		if weight < least {
			best, least = what, weight
		}
	}
	line := capabilities.Printable(sent.Method+" "+sent.URL(), 200) + " is not recorded"
	switch {
	case best != "":
		line += ": " + best
	case slices.ContainsFunc(p.played, func(e Exchange) bool { n, _ := e.differs(sent); return n == 0 }):
		line += " so often"
	case len(p.played) > 0:
		line += ": every exchange of this call has been used"
	default:
		line += ": this call has no exchanges (writ test --record makes them)"
	}
	p.unknown = append(p.unknown, line)
	return guard.Answered{}, errUnrecorded
}

// Unknown are the requests that were not recorded, a line each that names what differs.
func (p *Player) Unknown() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.unknown)
}

// Unused are the recorded requests that were not made.
func (p *Player) Unused() (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.left {
		lines = append(lines, capabilities.Printable(e.Request, 200))
	}
	return lines
}

// differs says what is not as in the recording, and how much that is: 0 is nothing.
func (e Exchange) differs(sent guard.Sent) (weight int, what string) {
	var all []string
	add := func(n int, format string, values ...any) {
		weight += n
		all = append(all, fmt.Sprintf(format, values...))
	}
	method, address, _ := strings.Cut(e.Request, " ")
	u, err := url.Parse(address)
	if err != nil {
		return 1 << 20, "its recording cannot be read"
	}
	if origin := u.Scheme + "://" + u.Host; origin != sent.Origin {
		add(1000, "its host is %s, recorded is %s", show(sent.Origin), show(origin))
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if path != sent.Path {
		add(100, "its path is %s, recorded is %s", show(sent.Path), show(path))
	}
	if method != sent.Method {
		add(50, "its method is %s, recorded is %s", show(sent.Method), show(method))
	}
	if words := queryDiffers(u.RawQuery, sent.Query); words != "" {
		add(10, "%s", words)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Header)) {
		if got := field(sent.Header, name); got != e.Header[name] {
			add(5, "its header %s is %q, recorded is %q", show(name), show(got), show(e.Header[name]))
		}
	}
	if words := e.bodyDiffers(sent); words != "" {
		add(5, "%s", words)
	}
	return weight, strings.Join(all, "; ")
}

func show(text string) string { return capabilities.Printable(text, 100) }

// queryDiffers names the first parameter that is new, gone or another.
func queryDiffers(recorded, sent string) string {
	if recorded == sent {
		return ""
	}
	x, errX := url.ParseQuery(recorded)
	y, errY := url.ParseQuery(sent)
	if errX != nil || errY != nil {
		return fmt.Sprintf("its query is %q, recorded is %q", show(sent), show(recorded))
	}
	for _, name := range slices.Sorted(maps.Keys(y)) {
		old, known := x[name]
		switch {
		case !known:
			return fmt.Sprintf("its query has %s, which the recorded one has not", show(name))
		case !slices.Equal(old, y[name]):
			return fmt.Sprintf("its query has %s=%s, recorded is %s", show(name), show(strings.Join(y[name], ",")), show(strings.Join(old, ",")))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(x)) {
		if _, still := y[name]; !still {
			return fmt.Sprintf("its query has no %s, which the recorded one has", show(name))
		}
	}
	return "" // the same parameters in another order or spelling
}

// bodyDiffers names what is another in the body: of two objects, the first key.
func (e Exchange) bodyDiffers(sent guard.Sent) string {
	recorded, err := e.Body.bytes()
	if err != nil || string(recorded) == string(sent.Body) {
		return ""
	}
	var x, y map[string]json.RawMessage
	if json.Unmarshal(recorded, &x) != nil || json.Unmarshal(sent.Body, &y) != nil || x == nil || y == nil {
		if sameValue(recorded, sent.Body) {
			return ""
		}
		return fmt.Sprintf("its body is %q, recorded is %q", show(string(sent.Body)), show(string(recorded)))
	}
	for _, key := range slices.Sorted(maps.Keys(y)) {
		old, known := x[key]
		switch {
		case !known:
			return fmt.Sprintf("its body has the key %s, which the recorded one has not", show(key))
		case !sameValue(old, y[key]):
			return fmt.Sprintf("the key %s of its body is %s, recorded is %s", show(key), show(string(y[key])), show(string(old)))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(x)) {
		if _, still := y[key]; !still {
			return fmt.Sprintf("its body has no key %s, which the recorded one has", show(key))
		}
	}
	return ""
}

// sameValue compares JSON by what it says, with the order of keys set aside.
func sameValue(a, b []byte) bool {
	canonical := func(raw []byte) (string, bool) {
		d := json.NewDecoder(strings.NewReader(string(raw)))
		d.UseNumber()
		var v any
		if d.Decode(&v) != nil {
			return "", false
		}
		out, err := json.Marshal(v)
		return string(out), err == nil
	}
	x, okX := canonical(a)
	y, okY := canonical(b)
	return okX && okY && x == y
}

// Recorder does real exchanges, which the guard has allowed, and keeps them. It is a guard.Tape.
type Recorder struct {
	call string
	mu   sync.Mutex // guards what follows
	all  []Exchange
	lost []string
}

// Record makes the Recorder of a call.
func Record(call string) *Recorder { return &Recorder{call: call} }

// Exchange implements guard.Tape.
func (r *Recorder) Exchange(_ context.Context, sent guard.Sent, send func() (guard.Answered, error)) (guard.Answered, error) {
	answer, err := send()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		text := err.Error()
		if known := (*effect.Error)(nil); errors.As(err, &known) {
			text = known.Text
		}
		r.lost = append(r.lost, capabilities.Printable(sent.Method+" "+sent.URL(), 200)+" was not answered: "+text)
		return guard.Answered{}, err
	}
	e := exchangeOf(r.call, sent, answer)
	r.all = append(r.all, e)
	return answer, nil
}

// Exchanges are those that were answered, in that order.
func (r *Recorder) Exchanges() []Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// Lost are the exchanges that were not answered, a line each.
func (r *Recorder) Lost() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lost)
}
