package logging

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// Redacted stands in the place of what was taken out.
const Redacted = "[redacted]"

// sensitive are words in the name of an attribute whose value no log may hold, whatever it is. (That is too
// much for the data of tools, and right for a log.)
var sensitive = []string{"token", "key", "secret", "password", "passwd", "passphrase", "authorization", "cookie", "credential"}

func sensitiveName(name string) bool {
	name = strings.ToLower(name)
	for _, word := range sensitive {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// shapes are secrets that are known by their look, wherever they stand: in the text of an error, of a
// servlet's log line or in a URL. A group named keep stays.
var shapes = regexp.MustCompile(strings.Join([]string{
	`-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|$)`,
	`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`,                                  // AWS
	`\bgh[pousr]_[0-9A-Za-z]{20,}`,                                   // GitHub
	`\bgithub_pat_[0-9A-Za-z_]{20,}`,                                 // GitHub
	`\bglpat-[0-9A-Za-z_-]{16,}`,                                     // GitLab
	`\bxox[a-z]-[0-9A-Za-z-]{10,}`,                                   // Slack
	`\b[sr]k[-_](?:live|test|proj|ant|or)[-_][0-9A-Za-z_-]{10,}`,     // Stripe, model providers
	`\bsk-[0-9A-Za-z]{20,}`,                                          // model providers
	`\bAIza[0-9A-Za-z_-]{35}`,                                        // Google
	`\bya29\.[0-9A-Za-z_-]{20,}`,                                     // Google OAuth
	`\bnpm_[0-9A-Za-z]{30,}`,                                         // npm
	`\bwrit_[0-9A-Za-z_-]{20,}`,                                      // Writ's own
	`\beyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*`,      // JSON Web Token
	`(?P<keep1>\b(?i:bearer|basic)\s+)[0-9A-Za-z._~+/=-]{8,}`,        // Authorization
	`(?P<keep2>[a-z][a-z0-9+.-]*://[^\s/:@?#]*:)[^\s/@]+(?P<end1>@)`, // user and password in a URL
	`(?P<keep3>https?://)[^\s/:@?#"',<>]+(?P<end2>@)`,                // a token as the user
}, "|"))

// kept are the groups of shapes that stay, before and after what is taken out.
var kept = [][2]int{
	{shapes.SubexpIndex("keep1"), 0},
	{shapes.SubexpIndex("keep2"), shapes.SubexpIndex("end1")},
	{shapes.SubexpIndex("keep3"), shapes.SubexpIndex("end2")},
}

// cards are numbers of payment cards: 13 to 19 digits in groups, with a right last digit.
var cards = regexp.MustCompile(`\b\d(?:[ -]?\d){12,18}\b`)

// maxText bounds one text of a log, in bytes.
const maxText = 64 << 10

// Text takes out of a text what looks like a secret, and counts it.
func Text(s string) (string, int) {
	n := 0
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	if len(s) < 5 {
		return s, 0
	}
	s = replace(shapes, s, func(m []int) string {
		n++
		for _, k := range kept {
			if from, to := m[2*k[0]], m[2*k[0]+1]; from >= 0 {
				end := ""
				if k[1] > 0 {
					end = s[m[2*k[1]]:m[2*k[1]+1]]
				}
				return s[from:to] + Redacted + end
			}
		}
		return Redacted
	})
	s, more := pairs(s)
	n += more
	return replace(cards, s, func(m []int) string {
		if !luhn(s[m[0]:m[1]]) {
			return s[m[0]:m[1]]
		}
		n++
		return Redacted
	}), n
}

func replace(re *regexp.Regexp, s string, with func([]int) string) string {
	all := re.FindAllStringSubmatchIndex(s, -1)
	if all == nil {
		return s
	}
	var b strings.Builder
	last := 0
	for _, m := range all {
		b.WriteString(s[last:m[0]])
		b.WriteString(with(m))
		last = m[1]
	}
	b.WriteString(s[last:])
	return b.String()
}

func luhn(s string) bool {
	sum, odd := 0, true
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] < '0' || s[i] > '9' {
			continue
		}
		d := int(s[i] - '0')
		if odd = !odd; odd {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0 && sum > 0
}

// redactor is a handler before another.
type redactor struct {
	next  slog.Handler
	count func(int)
	all   bool // within a group whose name is sensitive
}

// Redact returns a handler that hands records to next without what no log may hold. count is told how many
// values of a record were taken out; nil: nobody.
func Redact(next slog.Handler, count func(int)) slog.Handler {
	if count == nil {
		count = func(int) {}
	}
	return &redactor{next: next, count: count}
}

// Enabled implements slog.Handler.
func (h *redactor) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *redactor) Handle(ctx context.Context, r slog.Record) error {
	message, n := Text(r.Message)
	out := slog.NewRecord(r.Time, r.Level, message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.attr(a, h.all, &n))
		return true
	})
	if n > 0 {
		h.count(n)
	}
	return h.next.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h *redactor) WithAttrs(attrs []slog.Attr) slog.Handler {
	n := 0
	clean := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		clean = append(clean, h.attr(a, h.all, &n))
	}
	return &redactor{h.next.WithAttrs(clean), h.count, h.all}
}

// WithGroup implements slog.Handler.
func (h *redactor) WithGroup(name string) slog.Handler {
	return &redactor{h.next.WithGroup(name), h.count, h.all || sensitiveName(name)}
}

func (h *redactor) attr(a slog.Attr, all bool, n *int) slog.Attr {
	v := a.Value.Resolve()
	all = all || sensitiveName(a.Key)
	if v.Kind() == slog.KindGroup {
		var inner []slog.Attr
		for _, one := range v.Group() {
			inner = append(inner, h.attr(one, all, n))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(inner...)}
	}
	if all {
		*n++
		return slog.String(a.Key, Redacted)
	}
	switch v.Kind() {
	case slog.KindString:
		return slog.String(a.Key, text(v.String(), n))
	case slog.KindAny:
		return slog.Any(a.Key, value(v.Any(), n))
	}
	return slog.Attr{Key: a.Key, Value: v}
}

func text(s string, n *int) string {
	s, found := Text(s)
	*n += found
	return s
}

// value redacts what is no plain value: its text, or its members as JSON has them.
func value(v any, n *int) any {
	switch v := v.(type) {
	case nil:
		return nil
	case error:
		return text(v.Error(), n)
	case fmt.Stringer:
		return text(v.String(), n)
	case []byte:
		return text(string(v), n)
	}
	raw, err := json.Marshal(v)
	var plain any
	if err != nil || json.Unmarshal(raw, &plain) != nil {
		return text(fmt.Sprint(v), n)
	}
	return members(plain, n)
}

func members(v any, n *int) any {
	switch v := v.(type) {
	case string:
		return text(v, n)
	case []any:
		for i := range v {
			v[i] = members(v[i], n)
		}
	case map[string]any:
		for name := range v {
			if sensitiveName(name) {
				v[name] = Redacted
				*n++
				continue
			}
			v[name] = members(v[name], n)
		}
	}
	return v
}
