// Package metrics counts what the host does and shows it in the Prometheus text format.
//
// The counters are few and known, so they are written here and not by a client library, which would bring
// more modules than the rest of the host. Labels have the names of installed servlets and their signed tools
// and words of the host's own; nothing that a caller makes up becomes a label, and what is labelled is
// bounded all the same.
//
//	metrics.go   what is counted
//	series.go    counters and histograms, with and without labels
//	write.go     the text format
//	serve.go     /metrics, /healthz and /readyz on a listener of their own
package metrics

import (
	"slices"
	"sync"
	"time"
)

// Tool names what a call ran. Only installed servlets and signed tools may stand in it.
type Tool struct{ Space, Servlet, Name string }

// Call is a call that ended.
type Call struct {
	Tool        Tool // zero: none was found
	Status      string
	Limit       string // that was reached; empty: none
	Violation   string // kind of check that ended it; empty: none
	Wall        time.Duration
	Checks      time.Duration // spent on arguments and result
	Fuel        uint64
	Arguments   int // bytes
	Result      int // bytes
	Allowed     int // effects
	Denied      int
	Destructive bool // the tool ran, and may destroy
}

// maxTools bounds the tools that have series of their own; what comes later shares one named "other".
const maxTools = 2000

// Buckets of histograms.
var (
	seconds      = []float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60}
	milliseconds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10, 50, 100, 1000, 10000}
)

// toolSeries are the numbers of one tool.
type toolSeries struct {
	tool     Tool
	byStatus *labelled
	duration *histogram

	fuel, arguments, results, allowed, denied counter
}

// Set is all that one process counts. Its methods are safe for concurrent use, and do nothing on nil.
type Set struct {
	mu    sync.RWMutex
	tools map[Tool]*toolSeries // guarded by mu

	statuses   []string
	unknown    *labelled // calls of no tool, by status
	limits     *labelled
	timeouts   *labelled
	violations *labelled
	operations *operations

	blocks, redactions, authFailures, blockedTools, blockedServers, destructive, kvConflicts counter

	guardrail, auth *histogram

	gauges sync.Map // name -> gauge
}

// New makes a Set. statuses are those that calls can have.
func New(statuses ...string) *Set {
	return &Set{
		tools: map[Tool]*toolSeries{}, statuses: slices.Clone(statuses), unknown: newLabelled(), limits: newLabelled(), timeouts: newLabelled(),
		violations: newLabelled(), operations: &operations{byMethod: map[string]*histogram{}},
		guardrail: newHistogram(milliseconds), auth: newHistogram(milliseconds),
	}
}

// Call counts a call that ended.
func (s *Set) Call(c Call) {
	if s == nil {
		return
	}
	if c.Limit != "" {
		s.limits.add(c.Limit, 1)
	}
	if c.Violation != "" {
		s.blocks.add(1)
		s.violations.add(c.Violation, 1)
	}
	if c.Denied > 0 {
		s.violations.add("effect", uint64(c.Denied))
	}
	if c.Checks > 0 {
		s.guardrail.observe(c.Checks.Seconds() * 1000)
	}
	if c.Destructive {
		s.destructive.add(1)
	}
	if c.Tool == (Tool{}) {
		s.unknown.add(c.Status, 1)
		return
	}
	t := s.tool(c.Tool)
	t.byStatus.add(c.Status, 1)
	t.duration.observe(c.Wall.Seconds())
	t.fuel.add(c.Fuel)
	t.arguments.add(uint64(c.Arguments))
	t.results.add(uint64(c.Result))
	t.allowed.add(uint64(c.Allowed))
	t.denied.add(uint64(c.Denied))
}

// tool finds the series of a tool, or makes them.
func (s *Set) tool(name Tool) *toolSeries {
	s.mu.RLock()
	t := s.tools[name]
	s.mu.RUnlock()
	if t != nil {
		return t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tools[name]; t != nil {
		return t
	}
	if len(s.tools) >= maxTools {
		name = Tool{"other", "other", "other"}
		if t := s.tools[name]; t != nil {
			return t
		}
	}
	t = &toolSeries{tool: name, byStatus: newLabelled(s.statuses...), duration: newHistogram(seconds)}
	s.tools[name] = t
	return t
}

// Timeout counts a step of a phase that did not keep its time.
func (s *Set) Timeout(phase string, percent int) {
	if s != nil {
		s.timeouts.add(phase+"\x00"+percentName(percent), 1)
	}
}

func percentName(percent int) string {
	switch percent {
	case 80:
		return "warned"
	case 100:
		return "cancelled"
	}
	return "left"
}

// Redacted counts values that were taken out of logs.
func (s *Set) Redacted(n int) {
	if s != nil {
		s.redactions.add(uint64(n))
	}
}

// Authenticated counts one authentication and how long it took.
func (s *Set) Authenticated(ok bool, took time.Duration) {
	if s == nil {
		return
	}
	s.auth.observe(took.Seconds() * 1000)
	if !ok {
		s.authFailures.add(1)
	}
}

// ToolBlocked counts a tool that is not presented, as its definition cannot be shown.
func (s *Set) ToolBlocked() {
	if s != nil {
		s.blockedTools.add(1)
	}
}

// ServletBlocked counts a servlet that is not loaded: its file, signature or code was refused.
func (s *Set) ServletBlocked() {
	if s != nil {
		s.blockedServers.add(1)
	}
}

// KVConflict counts a call that is run again because others changed what it had read.
func (s *Set) KVConflict() {
	if s != nil {
		s.kvConflicts.add(1)
	}
}

// methods are the operations of MCP that have a series of their own.
var methods = []string{"tools/call", "tools/list", "initialize", "server/discover", "ping", "subscriptions/listen"}

// Operation counts a request of a client, by its method.
func (s *Set) Operation(method string, took time.Duration) {
	if s == nil {
		return
	}
	if !slices.Contains(methods, method) {
		method = "other" // a client's own word
	}
	s.operations.of(method).observe(took.Seconds())
}

// Gauge shows a number that is asked for whenever it is looked at.
func (s *Set) Gauge(name, help string, value func() float64) {
	if s != nil {
		s.gauges.Store(name, gauge{name, help, value})
	}
}

type gauge struct {
	name, help string
	value      func() float64
}

// operations are histograms by method.
type operations struct {
	mu       sync.RWMutex
	byMethod map[string]*histogram // guarded by mu
}

func (o *operations) of(method string) *histogram {
	o.mu.RLock()
	h := o.byMethod[method]
	o.mu.RUnlock()
	if h != nil {
		return h
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byMethod[method] == nil {
		o.byMethod[method] = newHistogram(seconds)
	}
	return o.byMethod[method]
}
