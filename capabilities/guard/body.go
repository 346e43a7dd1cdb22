package guard

import (
	"errors"
	"io"

	"github.com/writ-run/writ/capabilities/effect"
)

var (
	errTooLarge = errors.New("body is too large")
	errNoRoom   = errors.New("no room for the body")
)

// leastBody is what is reserved at first for a body of unknown length, bytes.
const leastBody = 4 << 10

// readBody reads a body of at most maxAnswer bytes; announced is how many the server said it has, or less
// than 1. All memory is reserved before there is any of it: a body is checked only when it is whole, and
// servers that send slowly would until then have the host hold more for a call than it is granted. What
// the body takes, its capacity, stays reserved when it was read.
func readBody(body io.Reader, announced int64, room effect.Room) ([]byte, error) {
	size := leastBody
	if announced > 0 {
		size = int(min(announced, maxAnswer)) + 1 // one more shows the end
	}
	var p []byte
	for {
		if len(p) == cap(p) {
			grown, err := enlarge(p, size, room)
			if err != nil {
				return nil, err
			}
			p, size = grown, min(size+size/2, maxAnswer+1)
		}
		n, err := body.Read(p[len(p):cap(p)])
		p = p[:len(p)+n]
		switch {
		case len(p) > maxAnswer:
			err = errTooLarge
		case err == io.EOF:
			return p, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// enlarge moves p to a reserved buffer of size bytes. Both are there for a moment.
func enlarge(p []byte, size int, room effect.Room) ([]byte, error) {
	if !room.Take(int64(size)) {
		return nil, errNoRoom
	}
	grown := append(make([]byte, 0, size), p...)
	room.Give(int64(cap(p)))
	return grown, nil
}

// maskRoom is how much room it takes to mask a body, as a multiple of its length: the text of one secret
// and that of the next are there at a time, and a mask has twice the length of the shortest secret.
const maskRoom = 2 * len(mask) / leastMasked

// maskBody masks in a body the secrets that the call has sent.
func (g *Guard) maskBody(body []byte, room effect.Room) ([]byte, error) {
	if !g.masked.occurs(body) {
		return body, nil
	}
	if !room.Take(int64(maskRoom * len(body))) {
		return nil, errNoRoom
	}
	if body = g.masked.clean(body); len(body) > maxAnswer {
		return nil, errTooLarge // by the mask, which is longer than what it covers
	}
	return body, nil
}
