//go:build unix

package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/writ-run/writ/testdata/client"
	"github.com/writ-run/writ/testdata/tsclient"
)

// serverPatience is how long a test waits for what must come. It is no measurement.
const serverPatience = 30 * time.Second

// startedServer is a `writ serve` that runs.
type startedServer struct {
	t       *testing.T
	cmd     *exec.Cmd
	address string
	said    chan string // further lines of standard error; closed at its end
}

// startServer starts `writ serve` on a free loopback port and waits until it serves.
func startServer(t *testing.T, home string, flags ...string) *startedServer {
	t.Helper()
	s := &startedServer{t: t, said: make(chan string, 1000)}
	s.cmd = exec.Command(built.writ, append([]string{"--home", home, "serve", "--listen", "127.0.0.1:0"}, flags...)...)
	stderr, err := s.cmd.StderrPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		if t.Failed() {
			for line := range s.said {
				t.Logf("it said: %s", line)
			}
		}
	})
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "serving http") {
		t.Fatalf("the server said %q", lines.Text())
	}
	s.address = strings.TrimSuffix(lines.Text()[strings.Index(lines.Text(), "//")+2:], "/mcp")
	go func() {
		defer close(s.said)
		for lines.Scan() {
			s.said <- lines.Text()
		}
	}()
	return s
}

// signal sends a signal.
func (s *startedServer) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// hears waits for a line with a text.
func (s *startedServer) hears(text string) {
	s.t.Helper()
	late := time.After(serverPatience)
	for {
		select {
		case line, ok := <-s.said:
			if !ok {
				s.t.Fatalf("the server ended without a word of %q", text)
			}
			if strings.Contains(line, text) {
				return
			}
		case <-late:
			s.t.Fatalf("no word of %q", text)
		}
	}
}

// writ runs a verb on a home and returns what it printed.
func writ(t *testing.T, home string, args ...string) string {
	t.Helper()
	out, err := exec.Command(built.writ, append([]string{"--home", home}, args...)...).Output()
	if err != nil {
		t.Fatalf("writ %v: %v %s", args, err, stderrOf(err))
	}
	return strings.TrimSpace(string(out))
}

// pemPair writes a certificate for 127.0.0.1 with a serial number, and its key, in the place of those
// that were there.
func pemPair(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 5*int(serial)),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	replace(t, cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public}))
	replace(t, key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	return cert, key
}

func replace(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`

// pingRequest is server/discover with a key.
func pingRequest(url, key string) (*http.Request, error) {
	req, err := http.NewRequest("POST", url, strings.NewReader(ping))
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "server/discover", "Authorization": "Bearer " + key,
	} {
		req.Header.Set(name, value)
	}
	return req, nil
}

// Real clients, over TLS, with a key in a header and in the address; without one there is no way in.
func TestTheTypeScriptClientWithAKey(t *testing.T) {
	home, _ := home(t)
	cert, key := pemPair(t, t.TempDir(), 1)
	t.Setenv("NODE_EXTRA_CA_CERTS", cert)
	bearer := writ(t, home, "key", "create", "laptop")
	path := writ(t, home, "key", "create", "phone", "--url", "--role", "observer")
	s := startServer(t, home, "--cert", cert, "--key-file", key)
	for name, target := range map[string]tsclient.Target{
		"header":  {URL: "https://" + s.address + "/mcp", Headers: map[string]string{"Authorization": "Bearer " + bearer}},
		"address": {URL: "https://" + s.address + path},
	} {
		t.Run(name, func(t *testing.T) {
			out := tsclient.Run(t, target, tsclient.List(), tsclient.Call("filesystem_read_text_file", map[string]string{"path": "/docs/today.txt"}))
			if got := out.Steps[0]; got.Error != nil || !strings.Contains(string(got.Result), "filesystem_read_text_file") {
				t.Errorf("listing: %s, %+v", got.Result, got.Error)
			}
			// The key in the address is an observer's.
			got, read := out.Steps[1], strings.Contains(string(out.Steps[1].Result), "water the plants")
			if read != (name == "header") || !read && (got.Error == nil || !strings.Contains(got.Error.Message, "does not allow")) {
				t.Errorf("reading: %s, %+v", got.Result, got.Error)
			}
		})
	}
	s.signal(syscall.SIGTERM)
	for line := range s.said {
		if strings.Contains(line, "writ_") {
			t.Errorf("the log has a key: %s", line)
		}
	}
	if list := writ(t, home, "key", "list", "--json"); strings.Count(list, `"used"`) != 2 || strings.Contains(list, bearer) {
		t.Errorf("after both were used: %s", list)
	}
}

// The official Go client in both eras: with its key it works until the key is revoked, which a server that
// runs learns at once.
func TestTheGoClientWithAKey(t *testing.T) {
	home, _ := home(t)
	writ(t, home, "key", "create", "other")
	s := startServer(t, home, "--require-key")
	url := "http://" + s.address + "/mcp"
	for _, era := range []client.Era{client.Modern, client.Sessions} {
		t.Run(string(era), func(t *testing.T) {
			if c, err := (client.Config{Era: era}).HTTP(t.Context(), url); err == nil {
				c.Close()
				t.Error("connected without a key")
			}
			key := writ(t, home, "key", "create", string(era))
			cfg := client.Config{Era: era, Header: http.Header{"Authorization": {"Bearer " + key}}}
			c, err := cfg.HTTP(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			read := func() (client.Result, error) {
				return c.Call(t.Context(), "filesystem_read_text_file", map[string]any{"path": "/docs/today.txt"})
			}
			if answer, err := read(); err != nil || answer.IsError || !strings.Contains(answer.Text, "water the plants") {
				t.Errorf("reading: %+v, %v", answer, err)
			}
			writ(t, home, "key", "revoke", string(era))
			if answer, err := read(); err == nil {
				t.Errorf("with a revoked key: %+v", answer)
			}
		})
	}
	s.signal(syscall.SIGTERM)
	for range s.said { // until it has ended, and has written down everything
	}
	if calls := writ(t, home, "audit", "--event", "answer"); strings.Count(calls, " key:") != 2 || strings.Contains(calls, " local ") {
		t.Errorf("the calls are not those of the keys:\n%s", calls)
	}
}

// New certificates are taken while clients connect, and none of them is ever turned away: not by the
// change, and not by a pair that cannot be used.
func TestCertificatesAreReplacedUnderLoad(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	dir := t.TempDir()
	cert, keyFile := pemPair(t, dir, 1)
	key := writ(t, home, "key", "create", "ci")
	s := startServer(t, home, "--cert", cert, "--key-file", keyFile)
	var serial atomic.Int64 // of the certificate that was seen last
	connect := func() error {
		client := &http.Client{Timeout: serverPatience, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, // which certificate is shown is what is tested
			VerifyConnection: func(state tls.ConnectionState) error {
				serial.Store(state.PeerCertificates[0].SerialNumber.Int64())
				return nil
			},
		}}}
		req, err := pingRequest("https://"+s.address+"/mcp", key)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
			return fmt.Errorf("status %d, %v", res.StatusCode, err)
		}
		return nil
	}
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 2 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
				}
				if err := connect(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	shows := func(want int64) {
		t.Helper()
		for deadline := time.Now().Add(serverPatience); serial.Load() != want; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) || t.Failed() {
				t.Fatalf("certificate %d is shown, want %d", serial.Load(), want)
			}
		}
	}
	shows(1)
	s.hears("expires soon") // 1 does, in days; the others do not
	pemPair(t, dir, 2)
	shows(2) // noticed
	pemPair(t, dir, 3)
	s.signal(syscall.SIGHUP)
	shows(3)
	replace(t, cert, []byte("-----BEGIN CERTIFICATE-----\nhalf a"))
	s.hears("the one before stays")
	other := t.TempDir()
	stranger, _ := pemPair(t, other, 4)
	data, err := os.ReadFile(stranger)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, cert, data) // of another key
	s.signal(syscall.SIGHUP)
	s.hears("the one before stays")
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGHUP)
	s.hears("the one before stays")
	serial.Store(0)
	shows(3)
	pemPair(t, dir, 5)
	shows(5)
	close(stop)
	load.Wait()
}

// halfRequest sends all of a request but its last byte, so that it is under way.
func halfRequest(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(serverPatience))
	_, err = fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMcp-Protocol-Version: 2026-07-28\r\nMcp-Method: server/discover\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n%s",
		address, len(ping), ping[:len(ping)-1])
	if err != nil {
		t.Fatal(err)
	}
	// The server reads the body, so the request has begun.
	if line, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatalf("%q, %v", line, err)
	}
	return conn
}

// closes waits until nobody can connect any more.
func (s *startedServer) closes() {
	s.t.Helper()
	for deadline := time.Now().Add(serverPatience); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			s.t.Fatal("the listener is still open")
		}
	}
}

func TestServerDrains(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	t.Run("what runs is answered", func(t *testing.T) {
		s := startServer(t, home, "--drain", "1m")
		conn := halfRequest(t, s.address)
		s.signal(syscall.SIGTERM)
		s.closes()
		if _, err := io.WriteString(conn, ping[len(ping)-1:]); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.Contains(string(answer), "200 OK") || !strings.Contains(string(answer), `"result"`) {
			t.Errorf("answered with %q, %v", answer, err)
		}
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	t.Run("not for longer than asked", func(t *testing.T) {
		s := startServer(t, home, "--drain", "0s")
		halfRequest(t, s.address)
		s.signal(syscall.SIGTERM)
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("ended with %v", err)
		}
	})
	t.Run("a second signal ends at once", func(t *testing.T) {
		s := startServer(t, home, "--drain", "1h")
		halfRequest(t, s.address)
		s.signal(syscall.SIGTERM)
		s.closes()
		s.signal(syscall.SIGTERM)
		err := s.cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
			t.Errorf("ended with %v, want the signal", err)
		}
	})
}

// A key that everybody can read is refused, and one that replaces it changes nothing.
func TestAKeyThatOthersCanReadIsRefused(t *testing.T) {
	cert, key := pemPair(t, t.TempDir(), 1)
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o400: false, 0o644: true, 0o660: true, 0o604: true} {
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		s := served{listen: "127.0.0.1:0", anonymous: 421, certFile: cert, keyFile: key}
		switch err := s.check(); {
		case refused && (err == nil || !strings.Contains(err.Error(), "run: chmod 600 "+key)):
			t.Errorf("mode %o: %v", mode, err)
		case !refused && err != nil:
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

// Plain HTTP for a whole network is warned of, unless it is said where the proxy is.
func TestAServerForAnyProxyWarns(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	writ(t, home, "key", "create", "ci")
	proxied := []string{"--listen", "0.0.0.0:0", "--behind-proxy", "--public-url", "https://tools.acme.test"}
	startServer(t, home, proxied...).hears("warning: whoever reaches")
	s := startServer(t, home, append(proxied, "--proxy-from", "192.0.2.7,10.0.0.0/24")...)
	s.signal(syscall.SIGTERM)
	for line := range s.said {
		if strings.Contains(line, "warning") {
			t.Errorf("it said: %s", line)
		}
	}
}
