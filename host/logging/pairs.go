package logging

import "strings"

// pairs takes out the values of names that tell a secret (password=..., "token": "...", Cookie: ...), in
// whatever way the text writes them. What a person needs to follow the log stays: counts, places in files,
// and words after a colon where the name is no more than "key" or "cookie".
func pairs(s string) (string, int) {
	var b strings.Builder
	n, last := 0, 0
	for i := 0; i < len(s); i++ {
		width := separator(s[i:])
		if width == 0 {
			continue
		}
		name := nameBefore(s[last:i])
		if !sensitiveInText(name.text) {
			continue
		}
		from, to := name.value(s, i, i+width)
		if from == to {
			continue
		}
		b.WriteString(s[last:from])
		b.WriteString(Redacted)
		n++
		last, i = to, to-1
	}
	if n == 0 {
		return s, 0
	}
	b.WriteString(s[last:])
	return b.String(), n
}

// separator is the length of what divides a name from its value at the start of s; 0: there is none.
func separator(s string) int {
	switch {
	case s[0] == '=' || s[0] == ':':
		return 1
	case len(s) >= 3 && strings.EqualFold(s[:3], "%3D"): // "=" within the parameter of a URL
		return 3
	}
	return 0
}

// pairName is the name before a separator.
type pairName struct {
	text    string // in small letters
	escapes int    // backslashes before each of the quotes around it, and around the value
	quoted  bool
}

// maxName bounds a name, in bytes, and so what is read back from each separator.
const maxName = 128

func nameBefore(s string) (p pairName) {
	s = strings.TrimRight(s[max(0, len(s)-maxName):], " \t")
	if s != "" && strings.IndexByte("\"'`", s[len(s)-1]) >= 0 {
		s, p.quoted = s[:len(s)-1], true
		rest := strings.TrimRight(s, `\`)
		s, p.escapes = rest, len(s)-len(rest)
	}
	start := len(s)
	for start > 0 && inName(s[start-1]) {
		start--
	}
	p.text = strings.ToLower(s[start:])
	return p
}

func inName(c byte) bool { return c == '_' || c == '-' || c == '.' || isDigit(c) || isLetter(c) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// unrelated are words that have one of the sensitive in them.
var unrelated = strings.NewReplacer("keyboard", "", "keyword", "", "monkey", "", "turkey", "", "tokeniz", "", "secretar", "")

// sensitiveInText is sensitiveName for the names of pairs in a text, which are anybody's words.
func sensitiveInText(name string) bool {
	name = unrelated.Replace(name)
	return sensitiveName(name) || strings.Contains(name, "signature")
}

// value finds what is to be taken out after the separator, which is from at to after. Nothing is, where
// from and to are the same.
func (p pairName) value(s string, at, after int) (from, to int) {
	from = after
	for from < len(s) && (s[from] == ' ' || s[from] == '\t') {
		from++
	}
	v := s[from:]
	prose := s[at] == ':' && !p.quoted && from > after
	switch {
	case v == "" || strings.HasPrefix(v, Redacted) || s[at] == ':' && strings.HasPrefix(v, "//"):
		return 0, 0
	case strings.HasSuffix(p.text, "authorization") && !p.counts(word(v[openingQuote(v):])):
		return from + len(scheme(v)), from + restOfLine(v, len(scheme(v)))
	}
	if open := openingQuote(v); open > 0 {
		end := quoteEnd(v[open:], v[open-1], open-1)
		if p.counts(v[open : open+end]) {
			return 0, 0
		}
		return from + open, from + open + end
	}
	if strings.Contains(p.text, "cookie") && strings.Contains(word(v), "=") {
		return from, from + restOfLine(v, 0)
	}
	if open := strings.TrimPrefix(v, "[]string"); open != "" && (open[0] == '[' || open[0] == '{') {
		return from, from + len(v) - len(open) + bracketEnd(open, p.escapes)
	}
	first := word(v)
	if first == "" || p.counts(first) || prose && p.reads(first) || s[at] == ':' && isPlace(p.text, first) {
		return 0, 0
	}
	if strings.Contains(p.text, "passw") || strings.Contains(p.text, "passphrase") {
		first = wholeWord(v)
		return from, from + len(first) + moreWords(v[len(first):])
	}
	return from, from + len(wholeWord(v))
}

// counts says that a value is none that anybody keeps secret: no value, or how many there are.
func (p pairName) counts(value string) bool {
	switch strings.ToLower(value) {
	case "", "null", "nil", "none", "true", "false", "undefined", Redacted:
		return true
	}
	return strings.HasSuffix(p.text, "s") && len(value) < 10 && strings.Trim(value, "0123456789") == ""
}

// reads says that a word after a colon goes on with a sentence.
func (p pairName) reads(word string) bool {
	if len(word) < 4 {
		return !strings.Contains(p.text, "passw") && !strings.Contains(p.text, "passphrase")
	}
	for _, strong := range []string{"token", "secret", "passw", "passphrase", "signature", "api", "access", "private"} {
		if strings.Contains(p.text, strong) {
			return false
		}
	}
	return len(word) < 8 || len(word) < 24 && !strings.ContainsAny(word, "0123456789")
}

// isPlace says that a name and a value are a place in a file, such as keys.go:35:12.
func isPlace(name, value string) bool {
	return strings.Contains(name, ".") && strings.Trim(value, "0123456789:") == ""
}

// stops end a value without quotes.
const stops = " \t\r\n\"'`&,;<>)}]"

// word is the value without quotes at the start of v.
func word(v string) string { return v[:endOr(strings.IndexAny(v, stops), len(v))] }

// wholeWord is word, and where that has hardly begun what goes on behind the stop: it is a part of the value,
// unless it is the next pair.
func wholeWord(v string) string {
	end := len(word(v))
	if end == 0 || end >= 4 || end+1 >= len(v) || !isLetter(v[end+1]) && !isDigit(v[end+1]) {
		return v[:end]
	}
	more := v[end+1:]
	if strings.IndexByte("\"'`&,;", v[end]) < 0 || strings.Contains(word(more), "=") {
		return v[:end]
	}
	return v[:end+1+endOr(strings.IndexAny(more, " \t\r\n"), len(more))]
}

// moreWords is how much of rest belongs to a value of several words: those up to a stop or the next pair.
func moreWords(rest string) (n int) {
	for {
		trimmed := strings.TrimLeft(rest[n:], " \t")
		next := word(trimmed)
		if len(trimmed) == len(rest[n:]) || next == "" || strings.ContainsAny(next, "=:") {
			return n
		}
		n = len(rest) - len(trimmed) + len(next)
	}
}

// schemes of Authorization, which are no secret.
var schemes = []string{"ApiKey", "AWS4-HMAC-SHA256", "Basic", "Bearer", "Digest", "DPoP", "HOBA", "Hawk", "Negotiate", "NTLM", "OAuth", "Token"}

// scheme is the one at the start of v, with the space and the quote around it.
func scheme(v string) string {
	open := openingQuote(v)
	first, rest, ok := strings.Cut(v[open:], " ")
	for _, known := range schemes {
		if ok && rest != "" && strings.EqualFold(first, known) {
			return v[:open+len(first)+1]
		}
	}
	return v[:open]
}

// restOfLine is where the line of a header ends that begins v, from skip on: at a line break, written as
// it is or escaped, or at the quote that ends what the header is a value of.
func restOfLine(v string, skip int) int {
	end := skip
	if open := openingQuote(v); open > 0 {
		end = open + quoteEnd(v[open:], v[open-1], open-1)
	} else {
		for end < len(v) && v[end] != '\n' && v[end] != '\r' && !strings.HasPrefix(v[end:], `\n`) && !strings.HasPrefix(v[end:], `\r`) {
			end++
		}
	}
	if end < skip || strings.HasPrefix(v[skip:end], Redacted) && strings.Trim(v[skip+len(Redacted):end], "\"'`\\,}] \t") == "" {
		return skip // was taken out before
	}
	return end
}

// openingQuote is the length of the quote at the start of v, with the backslashes before it; 0: there is none.
func openingQuote(v string) int {
	rest := strings.TrimLeft(v, `\`)
	if rest != "" && strings.IndexByte("\"'`", rest[0]) >= 0 {
		return len(v) - len(rest) + 1
	}
	return 0
}

// quoteEnd is where a value ends that began with a quote after that many backslashes: one for each quote
// in a text that was quoted itself. A quote with more of them is part of the value, and one with fewer
// ends the text around it.
func quoteEnd(v string, quote byte, escapes int) int {
	run := 0
	for i := range len(v) {
		switch v[i] {
		case '\\':
			run++
			continue
		case quote:
			if run < escapes {
				return i - run
			}
			if run%(2*escapes+2) == escapes {
				return i - escapes
			}
		}
		run = 0
	}
	return len(v)
}

// bracketEnd is where the list or object ends that begins v; its strings have quotes after that many
// backslashes.
func bracketEnd(v string, escapes int) int {
	depth := 0
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			i += quoteEnd(v[i+1:], '"', escapes) + escapes + 1
		}
	}
	return len(v)
}

// endOr is an index, or what stands for none.
func endOr(index, none int) int {
	if index < 0 {
		return none
	}
	return index
}
