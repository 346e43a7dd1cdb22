package servlet

import "github.com/writ-run/writ/sdk/go/internal/abi"

// Config returns the value of a key that servlet.toml declares: the operator's, or the default. It is
// false when there is none, or when the running tool does not list the key in its uses. Ask when you
// need it, in the tool's function: what an init function asks for is refused.
func Config(key string) (string, bool) {
	value, code := abi.Config(key)
	return value, code == 0
}

// ConfigOr is [Config] with a value for when there is none.
func ConfigOr(key, otherwise string) string {
	if value, ok := Config(key); ok {
		return value
	}
	return otherwise
}

// Level orders log lines.
type Level int32

// The levels of a log line.
const (
	Debug Level = 0
	Info  Level = 1
	Warn  Level = 2
	Fault Level = 3
)

// Log writes one line for the operator; the model never sees it. What a program prints to standard
// output and standard error arrives there too, as Info and Warn. Never log a secret or a person's text.
func Log(level Level, text string) { abi.Log(int32(level), text) }

// Progress tells a waiting client how far the call is: done of total, which is 0 when unknown. Call it
// as often as you like, the host drops what is too much.
func Progress(done, total float64, text string) { abi.Progress(done, total, text) }
