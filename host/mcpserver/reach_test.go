package mcpserver_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// newCertificate makes a certificate for names and addresses that signs itself.
func newCertificate(t testing.TB, names ...string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// over sends server/discover over TLS: to a name in the SNI, with a Host and a key.
func over(t testing.TB, address string, leaf *x509.Certificate, sni, host, key string) int {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	raw, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(patience))
	// The SNI is what is tested, so that the name is not what the certificate is checked against.
	conn := tls.Client(raw, &tls.Config{ServerName: sni, InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"},
		VerifyConnection: func(state tls.ConnectionState) error {
			if state.NegotiatedProtocol == "h2" || state.Version != tls.VersionTLS13 {
				return fmt.Errorf("%s over TLS %x", state.NegotiatedProtocol, state.Version)
			}
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots})
			return err
		}})
	fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n%sContent-Length: %d\r\n\r\n%s",
		host, key, strings.ReplaceAll(modernHeaders, "\n", "\r\n"), len(discover), discover)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

func TestServingBeyondLoopback(t *testing.T) {
	r := registrytest.Open(t)
	key := newKey(t, r, registry.KeySpec{Name: "ci"})
	certificate := newCertificate(t, "tools.acme.test", "*.wide.test", "192.0.2.7")
	current := func() *tls.Certificate { return certificate }
	any := serveAccess(t, newFake(), "0.0.0.0:0", mcpserver.Access{Keys: r, Certificate: current})
	one := serveAccess(t, newFake(), "0.0.0.0:0", mcpserver.Access{Keys: r, Certificate: current, Public: &url.URL{Scheme: "https", Host: "tools.acme.test"}})
	for _, row := range []struct {
		name, address, sni, host, key string
		want                          int
	}{
		{"control", any, "tools.acme.test", "tools.acme.test", key, 200},
		{"control: another port", any, "tools.acme.test", "tools.acme.test:8443", key, 200},
		{"control: another name of the certificate", any, "a.wide.test", "a.wide.test", key, 200},
		{"control: an address of the certificate", any, "", "192.0.2.7", key, 200},
		{"a wrong key", any, "tools.acme.test", "tools.acme.test", "wrong", 401},
		{"no name of the certificate", any, "evil.example", "evil.example", key, 421},
		{"an address that is none of the certificate", any, "", "127.0.0.1", key, 421},
		{"localhost", any, "localhost", "localhost", key, 421},
		{"a connection for another of its names", any, "a.wide.test", "tools.acme.test", key, 421},
		{"a connection for none of its names", any, "evil.example", "tools.acme.test", key, 421},
		{"control: the public name", one, "tools.acme.test", "tools.acme.test", key, 200},
		{"a name of the certificate that is not public", one, "a.wide.test", "a.wide.test", key, 421},
	} {
		_, port, _ := net.SplitHostPort(row.address)
		if got := over(t, "127.0.0.1:"+port, certificate.Leaf, row.sni, row.host, row.key); got != row.want {
			t.Errorf("%s: status %d, want %d", row.name, got, row.want)
		}
	}

	_, port, _ := net.SplitHostPort(any)
	if _, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true}); err == nil {
		t.Error("TLS 1.2 is spoken")
	}
	if res, _ := ask(t, "127.0.0.1:"+port, "/mcp", "Authorization: Bearer "+key); res.StatusCode != 400 {
		t.Errorf("without TLS: status %d", res.StatusCode)
	}
}

// One address that opens what it can, and sends nothing or never enough, keeps no other out.
func TestIdleAndSlowClientsKeepNobodyOut(t *testing.T) {
	mcpserver.SetHeaderTime(t, 500*time.Millisecond)
	r := registrytest.Open(t)
	key := newKey(t, r, registry.KeySpec{Name: "ci"})
	certificate := newCertificate(t, "tools.acme.test")
	address := serveAccess(t, newFake(), "0.0.0.0:0", mcpserver.Access{Keys: r, Certificate: func() *tls.Certificate { return certificate }})
	_, port, _ := net.SplitHostPort(address)
	closed := make(chan int, mcpserver.MaxConnections)
	for i := range mcpserver.MaxConnections/4 + 20 {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 {
			io.WriteString(conn, "\x16\x03\x01") // the first bytes of TLS, and no more
		}
		go func() {
			conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
				closed <- i
			}
		}()
	}
	for range 20 {
		await(t, closed) // those above the bound
	}
	if other, err := net.DialTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, mustResolve(t, port)); err != nil {
		t.Logf("no second loopback address here: %v", err)
	} else {
		defer other.Close()
		other.SetDeadline(time.Now().Add(patience))
		conn := tls.Client(other, &tls.Config{ServerName: "tools.acme.test", InsecureSkipVerify: true})
		if err := conn.Handshake(); err != nil {
			t.Errorf("another address is kept out: %v", err)
		}
	}
	for range mcpserver.MaxConnections / 4 {
		await(t, closed) // the others, when their time is over
	}
	if got := over(t, "127.0.0.1:"+port, certificate.Leaf, "tools.acme.test", "tools.acme.test", key); got != 200 {
		t.Errorf("afterwards: status %d", got)
	}
}

func mustResolve(t testing.TB, port string) *net.TCPAddr {
	t.Helper()
	to, err := net.ResolveTCPAddr("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// A header or body that comes byte by byte ends with the time for it, whatever is still sent.
func TestSlowRequestsEnd(t *testing.T) {
	mcpserver.SetHeaderTime(t, 300*time.Millisecond)
	mcpserver.SetBodyTime(t, 300*time.Millisecond)
	address := serveHTTP(t, newFake())
	for name, start := range map[string]string{
		"header": "POST /mcp HTTP/1.1\r\nHost: " + address + "\r\nX-Slow: ",
		"body":   "POST /mcp HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\nAccept: */*\r\nContent-Length: 1000000\r\n\r\n",
		"chunks": "POST /mcp HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/json\r\nAccept: */*\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				_, err := io.WriteString(conn, start)
				for err == nil {
					time.Sleep(20 * time.Millisecond)
					_, err = io.WriteString(conn, "x")
				}
			}()
			conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open")
			}
			await(t, stopped)
		})
	}
}
