package mcpserver

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// connections bounds the connections of a server. Above the bound the one that has been idle longest is
// closed, which no client of HTTP minds unless it is about to use it; when none has been idle for a while,
// the new one.
type connections struct {
	mu   sync.Mutex
	all  map[net.Conn]bool      // guarded by mu; true: a request is under way
	idle map[net.Conn]time.Time // guarded by mu; since when, for the others
	// of counts the connections of each address; nil: addresses are not told apart, as behind a proxy.
	of map[netip.Prefix]int // guarded by mu
}

// newConnections counts connections. With byAddress one address has a quarter of them at most, so that
// one that opens as many as it can, and sends nothing, keeps no other out.
func newConnections(byAddress bool) *connections {
	c := &connections{all: map[net.Conn]bool{}, idle: map[net.Conn]time.Time{}}
	if byAddress {
		c.of = map[netip.Prefix]int{}
	}
	return c
}

// changed is the server's ConnState. For a new connection it is called where connections are accepted, so
// that it must not wait.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if victim := c.count(conn, state); victim != nil {
		cut(victim)
	}
}

// cut closes a connection at once: that of TLS would first wait, for up to seconds, until its client takes a
// word of farewell.
func cut(conn net.Conn) {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	conn.Close()
}

// count keeps count of a connection, and returns the one that is to be closed for it, if any.
func (c *connections) count(conn net.Conn, state http.ConnState) (victim net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if c.of != nil && c.of[networkOf(conn)] >= maxConnections/4 {
			return conn
		}
		if len(c.all) >= maxConnections {
			victim = c.longestIdle()
			if victim == nil || time.Since(c.idle[victim]) < idleGrace {
				return conn
			}
			c.forget(victim)
		}
		c.all[conn], c.idle[conn] = false, time.Now()
		if c.of != nil {
			c.of[networkOf(conn)]++
		}
	case http.StateActive:
		if _, known := c.all[conn]; known {
			c.all[conn] = true
			delete(c.idle, conn)
		}
	case http.StateIdle:
		if _, known := c.all[conn]; known {
			c.all[conn], c.idle[conn] = false, time.Now()
		}
	case http.StateHijacked, http.StateClosed:
		c.forget(conn)
	}
	return victim
}

// longestIdle is nil when a request is under way on all. c.mu is held, here and below.
func (c *connections) longestIdle() (oldest net.Conn) {
	for conn, since := range c.idle {
		if oldest == nil || since.Before(c.idle[oldest]) {
			oldest = conn
		}
	}
	return oldest
}

func (c *connections) forget(conn net.Conn) {
	if _, known := c.all[conn]; known && c.of != nil {
		if from := networkOf(conn); c.of[from] > 1 {
			c.of[from]--
		} else {
			delete(c.of, from)
		}
	}
	delete(c.all, conn)
	delete(c.idle, conn)
}

func networkOf(conn net.Conn) netip.Prefix {
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	return network(host)
}
