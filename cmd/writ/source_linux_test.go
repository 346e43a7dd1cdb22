package main

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

// The system's roots decide which servers are believed, and https never leads to http.
func TestDownloadsOverHTTPS(t *testing.T) {
	dir := t.TempDir()
	if err := writeRelease(filepath.Join(dir, "hello.wasm"), capabilities.Manifest{Name: "acme/hello", Version: "1.0.0", Seq: 1}); err != nil {
		t.Fatal(err)
	}
	plain := httptest.NewServer(fileServer(dir, nil))
	defer plain.Close()
	files := fileServer(dir, nil)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/plain/") {
			http.Redirect(rw, r, plain.URL+strings.TrimPrefix(r.URL.Path, "/plain"), http.StatusFound)
			return
		}
		files(rw, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // a client that does not believe it is what is tested
	s.StartTLS()
	defer s.Close()
	roots := filepath.Join(dir, "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ path, roots, says string }{
		{"/hello.wasm", roots, ""},
		{"/to/hello.wasm", roots, ""},
		{"/plain/hello.wasm", roots, "redirect not followed: it leads from https to http"},
		{"/hello.wasm", os.DevNull, "certificate"},
	} {
		cmd := exec.CommandContext(t.Context(), built.writ, "inspect", s.URL+row.path)
		cmd.Env = append(os.Environ(), "WRIT_HOME="+filepath.Join(dir, "home"), "SSL_CERT_FILE="+row.roots, "SSL_CERT_DIR="+os.DevNull)
		out, err := cmd.CombinedOutput()
		if (err == nil) != (row.says == "") || !strings.Contains(string(out), row.says) {
			t.Errorf("%s with %s: %v %s", row.path, row.roots, err, out)
		}
	}
}
