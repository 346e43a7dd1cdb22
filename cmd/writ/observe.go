package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/deadline"
	"github.com/writ-run/writ/host/logging"
	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/host/metrics"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// observed is what a server allows its callers, and how it can be watched. The zero value has the
// defaults, as every verb has that serves nobody.
type observed struct {
	rate      string
	burst     int
	times     host.Times
	authTime  time.Duration
	calls     int
	ofCaller  int
	ofServlet int
	resultKB  int
	passTrace bool

	metricsAt string
	logFormat string
	logLevel  string

	set     *metrics.Set // nil: nobody asked for metrics
	log     *slog.Logger // nil before withLogs
	callLog *slog.Logger
}

// register adds the flags to a verb that serves.
func (o *observed) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.rate, "rate", "100/m", "calls of one caller: a number and /s, /m or /h; off for no limit")
	flags.IntVar(&o.burst, "burst", host.DefaultRate.Burst, "calls of one caller at once, after a pause")
	flags.DurationVar(&o.times.Tool, "timeout-tool", time.Minute, "the most that one call may take, whatever its servlet asks for")
	flags.DurationVar(&o.times.Discovery, "timeout-discovery", 20*time.Second, "time to list tools")
	flags.DurationVar(&o.times.Store, "timeout-store", 5*time.Second, "time to look up and record a call")
	flags.IntVar(&o.calls, "max-calls", 64, "calls that run at a time")
	flags.IntVar(&o.ofCaller, "max-calls-caller", 32, "of these, calls of one caller")
	flags.IntVar(&o.ofServlet, "max-calls-servlet", 16, "of these, calls of one servlet")
	flags.IntVar(&o.resultKB, "max-result", 4096, "KiB of one result, whatever its servlet asks for")
	flags.BoolVar(&o.passTrace, "trace-egress", false, "pass a caller's trace context (traceparent) on to the servers that servlets call; it identifies the call to them")
	flags.StringVar(&o.metricsAt, "metrics", "", "address and port for /metrics, /healthz and /readyz, such as 127.0.0.1:9464; whoever reaches it may read")
	flags.StringVar(&o.logFormat, "log-format", logging.FormatText, "format of the log on standard error: text or json")
	flags.StringVar(&o.logLevel, "log-level", "warn", "what the log on standard error has: debug, info (a line for each call too), warn or error")
}

// registerAccess adds the flags to a verb that asks who its clients are.
func (o *observed) registerAccess(flags *pflag.FlagSet) {
	flags.DurationVar(&o.authTime, "timeout-auth", 10*time.Second, "time to find out who asks")
}

// check refuses values that mean nothing, before anything is opened.
func (o *observed) check() error {
	if _, err := o.parseRate(); err != nil {
		return err
	}
	for name, d := range map[string]time.Duration{
		"tool": o.times.Tool, "discovery": o.times.Discovery, "auth": o.authTime, "store": o.times.Store,
	} {
		if d < time.Millisecond || d > time.Hour {
			return usagef("--timeout-%s %v: want a time from 1ms to 1h", name, d)
		}
	}
	for name, n := range map[string]int{"max-calls": o.calls, "max-calls-caller": o.ofCaller, "max-calls-servlet": o.ofServlet, "max-result": o.resultKB} {
		if n < 1 || n > 1<<20 {
			return usagef("--%s %d: want a whole number from 1 on", name, n)
		}
	}
	if o.logFormat != logging.FormatText && o.logFormat != logging.FormatJSON {
		return usagef("--log-format %s: want text or json", o.logFormat)
	}
	if _, err := logging.ParseLevel(o.logLevel); err != nil {
		return usagef("--log-level %s: %w", o.logLevel, err)
	}
	if o.metricsAt == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(o.metricsAt)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usagef("--metrics %s: want ADDRESS:PORT, such as 127.0.0.1:9464", o.metricsAt)
	}
	return nil
}

// parseRate reads --rate and --burst. Only the word takes the limit away: a 0 is a mistake.
func (o *observed) parseRate() (host.Rate, error) {
	switch o.rate {
	case "":
		return host.Rate{}, nil
	case "off":
		return host.Rate{Off: true}, nil
	}
	number, unit, _ := strings.Cut(o.rate, "/")
	perMinute := map[string]float64{"s": 60, "m": 1, "h": 1.0 / 60}[unit]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || perMinute == 0 || !(n > 0 && n <= 1e6) {
		return host.Rate{}, usagef("--rate %s: want a number above 0 and /s, /m or /h, such as 100/m; or off", o.rate)
	}
	if o.burst < 1 || o.burst > 1e6 {
		return host.Rate{}, usagef("--burst %d: want a whole number from 1 on", o.burst)
	}
	return host.Rate{PerMinute: n * perMinute, Burst: o.burst}, nil
}

// hostConfig is a Host over a home, as the flags have it.
func (a *app) hostConfig(reg *registry.Registry, engine *sandbox.Engine) (host.Config, error) {
	o := &a.observed
	rate, err := o.parseRate()
	return host.Config{
		Registry: reg, Engine: engine, Network: a.network, Logger: a.logger(), Foresee: a.serving,
		Rate: rate, Times: o.times, MaxRunning: o.calls, CallerRunning: o.ofCaller, Running: o.ofServlet, Result: o.resultKB << 10,
		Metrics: o.set, CallLog: o.callLog, PassTrace: o.passTrace,
	}, err
}

// logFolder is where the log of a home lies.
func logFolder(home string) string { return filepath.Join(home, "logs") }

// logWait is how long the end of a command waits for its log to be written.
const logWait = time.Second

// withLogs runs f with the logs: standard error, as the flags have it, and the log of the home, which has
// the host's warnings, a line for each call, and what servlets wrote. A log that cannot be written is told
// once, and nothing waits for it.
func (a *app) withLogs(home string, f func() error) error {
	o := &a.observed
	terminal := a.terminalLog()
	var asides []*logging.Async
	if a.serving { // a client that does not read standard error must not hold its calls
		aside := logging.NewAsync(nil)
		asides = append(asides, aside)
		terminal = aside.Handler(terminal)
	}
	var told sync.Once
	kept := logging.NewAsync(func(err error) {
		if a.serving {
			told.Do(func() { slog.New(terminal).Warn("the log of the home is not written", "error", err) })
		}
	})
	asides = append([]*logging.Async{kept}, asides...)
	file := logging.NewFile(logFolder(home))
	level := slog.LevelInfo
	if terminal.Enabled(context.Background(), slog.LevelDebug) {
		level = slog.LevelDebug
	}
	lines, _ := logging.NewHandler(file, logging.FormatJSON, level, o.set.Redacted)
	lines = kept.Handler(lines.WithAttrs([]slog.Attr{slog.Int("pid", os.Getpid())}))
	o.log = slog.New(slog.NewMultiHandler(terminal, lines))
	o.callLog = slog.New(lines)
	if a.serving {
		o.callLog = slog.New(slog.NewMultiHandler(withoutWarnings{terminal}, lines))
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), logWait)
		defer cancel()
		closed := true
		for _, aside := range asides {
			closed = aside.Close(ctx) == nil && closed
		}
		if closed { // else it is still being written to
			file.Close()
		}
		o.log, o.callLog = nil, nil
	}()
	return f()
}

// withoutWarnings shows lines of calls on standard error only where every line is wanted: what a servlet
// calls a warning is none of the host's.
type withoutWarnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h withoutWarnings) Enabled(ctx context.Context, level slog.Level) bool {
	return h.Handler.Enabled(ctx, min(level, slog.LevelInfo))
}

// WithAttrs implements slog.Handler.
func (h withoutWarnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withoutWarnings{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h withoutWarnings) WithGroup(name string) slog.Handler {
	return withoutWarnings{h.Handler.WithGroup(name)}
}

// terminalLog writes the host's log to standard error. Commands that answer a person say what went wrong in
// their own one line; servers log warnings, and WRIT_LOG=debug shows all to everyone.
func (a *app) terminalLog() slog.Handler {
	level, format := slog.LevelError+1, logging.FormatText
	if a.serving {
		level = slog.LevelWarn
		if named, err := logging.ParseLevel(a.observed.logLevel); err == nil {
			level = named
		}
		if a.observed.logFormat != "" {
			format = a.observed.logFormat
		}
	}
	if a.getenv("WRIT_LOG") == "debug" {
		level = slog.LevelDebug
	}
	h, _ := logging.NewHandler(a.stderr, format, level, a.observed.set.Redacted)
	return h
}

// watch adds what can be watched of a server to its configuration.
func (a *app) watch(reg *registry.Registry, cfg *mcpserver.Config) {
	o := &a.observed
	cfg.Metrics, cfg.StoreReady = o.set, storeReady(reg, o.times.Store)
	if cfg.Access.Keys != nil {
		log := a.logger()
		cfg.Access.Keys = mcpserver.InTime(cfg.Access.Keys, o.authTime, func(p deadline.Phase, s deadline.Step) {
			o.set.Timeout(p.Name, int(s))
			log.Warn("slow", "phase", p.Name, "percent", int(s), "of", p.Time)
		})
	}
	o.set.Gauge("active_api_keys", "Access keys that let their holder in.", func() float64 {
		keys, err := reg.Keys(context.Background(), capabilities.Local(capabilities.DefaultSpace))
		if err != nil {
			return -1
		}
		n := 0
		for _, k := range keys {
			if !k.Ended(time.Now()) {
				n++
			}
		}
		return float64(n)
	})
}

// readyFor is for how long an answer of storeReady is good: whoever asks costs a look at the store at most
// as often.
const readyFor = time.Second

// storeReady says whether the store can be opened now, within a time.
func storeReady(reg *registry.Registry, limit time.Duration) func(context.Context) error {
	var mu sync.Mutex
	var asked time.Time
	var last error
	group := &deadline.Group{Most: 4}
	return func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(asked) < readyFor {
			return last
		}
		_, last = deadline.Do(context.WithoutCancel(ctx), group, deadline.Phase{Name: "store", Time: limit}, func(ctx context.Context) (struct{}, error) {
			_, err := reg.PublisherOf(ctx, "writ/ready") // any record, which nothing caches
			if errors.Is(err, registry.ErrNotFound) {
				err = nil
			}
			return struct{}{}, err
		})
		asked = time.Now()
		return last
	}
}

// withMetrics runs f while the metrics are served, where that was asked for; they are served until the last
// call has ended. ready says whether the server takes requests.
func (a *app) withMetrics(ctx context.Context, reg *registry.Registry, f func() error) error {
	o := &a.observed
	if o.metricsAt == "" {
		return f()
	}
	l, err := net.Listen("tcp", o.metricsAt)
	if err != nil {
		return fmt.Errorf("listening for metrics: %v: choose another port with --metrics", err)
	}
	a.network.Listeners.Add(l.Addr().String())
	a.say("metrics at http://%s/metrics", l.Addr())
	store := storeReady(reg, o.times.Store)
	page := metrics.Page{Set: o.set, Logger: a.logger(), Ready: func(asked context.Context) error {
		if ctx.Err() != nil {
			return errors.New("the server is ending")
		}
		return store(asked)
	}}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- page.Serve(serving, l) }()
	err = f()
	stop()
	return errors.Join(err, <-ended)
}
