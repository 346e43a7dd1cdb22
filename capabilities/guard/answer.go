package guard

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

const (
	maxAnswer = 8 << 20 // bytes of a body, after decompression
	maxPacked = 8 << 20 // bytes of a body as it arrives
)

// readAnswer reads a body under its limits and masks in it, and in the header, the secrets that the
// call has sent. The exchange's deadline runs on, so that a server which sends a byte a second is cut
// off.
func (g *Guard) readAnswer(ctx context.Context, method string, resp *http.Response) (effect.HTTPResponse, *effect.Error) {
	answer := effect.HTTPResponse{Status: resp.StatusCode, Header: g.masked.header(answerHeader(resp.Header))}
	if method == http.MethodHead {
		return answer, nil
	}
	if resp.ContentLength > maxPacked {
		return effect.HTTPResponse{}, tooLarge()
	}
	packed := &io.LimitedReader{R: resp.Body, N: maxPacked + 1}
	body, refusal := unpack(resp.Header, packed)
	if refusal != nil {
		return effect.HTTPResponse{}, refusal
	}
	announced, room := resp.ContentLength, effect.RoomOf(ctx)
	if body != io.Reader(packed) {
		announced = -1 // it is the length of what is unpacked here
	}
	var err error
	if answer.Body, err = readBody(body, announced, room); err == nil {
		answer.Body, err = g.maskBody(answer.Body, room)
	}
	switch {
	case err == errTooLarge || packed.N == 0:
		return effect.HTTPResponse{}, tooLarge()
	case err == errNoRoom:
		return effect.HTTPResponse{}, noRoom()
	case ctx.Err() != nil:
		return effect.HTTPResponse{}, cancelled()
	case err != nil:
		return effect.HTTPResponse{}, unavailable("the answer broke off or is damaged")
	}
	return answer, nil
}

// unpack undoes gzip, the one encoding that was asked for, and at most once: nested encodings are how
// a small answer becomes an endless one.
func unpack(header http.Header, body io.Reader) (io.Reader, *effect.Error) {
	encodings := header.Values("Content-Encoding")
	if len(encodings) > 1 {
		return nil, unavailable("the answer has an encoding that was not asked for")
	}
	switch strings.ToLower(strings.TrimSpace(header.Get("Content-Encoding"))) {
	case "", "identity":
		return body, nil
	case "gzip":
		buffered := bufio.NewReader(body)
		if _, err := buffered.Peek(1); err == io.EOF { // 204, 304 and the like
			return buffered, nil
		}
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, unavailable("the answer broke off or is damaged")
		}
		return unpacked, nil
	}
	return nil, unavailable("the answer has an encoding that was not asked for")
}

// unanswered says why an exchange did not happen, without telling the guest an address or a path. A
// dial that was refused is recorded as a denial of its own.
func (g *Guard) unanswered(ctx context.Context, x exchange, err error) *effect.Error {
	var refused *addressError
	var certificate *tls.CertificateVerificationError
	var alert tls.AlertError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &refused):
		g.decide(ctx, x.kind, "dial", x.target(), refused.rule)
		if x.kind == capabilities.KindWeb {
			return denied("the page's host is at an address that may not be reached: only public ones may")
		}
		return denied("the granted host is at an address that may not be reached")
	case ctx.Err() != nil:
		return cancelled()
	case errors.Is(err, errLookup):
		return unavailable("the host's name could not be resolved")
	case errors.As(err, &certificate):
		return unavailable("the server's certificate is not valid for " + x.whose())
	case errors.As(err, &alert), errors.As(err, &record):
		return unavailable("no secure connection could be made to the server")
	}
	return unavailable("the server did not answer")
}

// whose names the origin without telling a guest which one the operator chose.
func (x exchange) whose() string {
	if x.kind == capabilities.KindWeb {
		return "the page's host"
	}
	return "the granted origin"
}

func tooLarge() *effect.Error {
	return &effect.Error{Code: effect.Limit, Text: "the answer is too large"}
}

func noRoom() *effect.Error {
	return &effect.Error{Code: effect.Limit, Text: "the answers that this call holds are larger than its memory limit"}
}

func unavailable(text string) *effect.Error {
	return &effect.Error{Code: effect.Unavailable, Text: text}
}
