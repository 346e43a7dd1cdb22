package capabilities_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

// The vectors are for every reader of servlet files, whatever its language. A file has header lines
// "name: value", an empty line, and the payload up to the last line break:
//
//	expect:  "ok", or a line of the error; one header for each line
//	comment: why the case is there
//	form:    "manifest": signed manifest bytes. "envelope": the content of the section writ.envelope
//	         behind an empty module. "hex": a whole file in hex
//
// With -update they are written anew from the tables beside this file, with what is answered now.
var update = flag.Bool("update", false, "write testdata/vectors anew")

const vectors = "../testdata/vectors"

type vector struct {
	name, comment, form string
	payload             []byte
	expect              []string
}

func (v vector) write(t *testing.T, dir string) {
	t.Helper()
	var b bytes.Buffer
	for _, line := range v.expect {
		fmt.Fprintf(&b, "expect: %s\n", line)
	}
	fmt.Fprintf(&b, "comment: %s\nform: %s\n\n%s\n", v.comment, v.form, v.payload)
	if err := os.WriteFile(filepath.Join(dir, v.name+".txt"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// load reads the vectors of a folder. A folder without any is a failure: a moved folder must not
// look like a passed test.
func load(t *testing.T, folder string, least int) []vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(vectors, folder, "*.txt"))
	if err != nil || len(files) < least {
		t.Fatalf("%d vectors in %s, want at least %d: %v", len(files), folder, least, err)
	}
	var all []vector
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, payload, ok := bytes.Cut(content, []byte("\n\n"))
		if !ok {
			t.Fatalf("%s: no empty line", file)
		}
		v := vector{name: strings.TrimSuffix(filepath.Base(file), ".txt"), payload: bytes.TrimSuffix(payload, []byte("\n"))}
		for line := range strings.Lines(string(head)) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
			switch key {
			case "expect":
				v.expect = append(v.expect, value)
			case "comment":
				v.comment = value
			case "form":
				v.form = value
			default:
				t.Fatalf("%s: unknown header %q", file, key)
			}
		}
		if len(v.expect) == 0 || v.comment == "" {
			t.Fatalf("%s: no expect or comment", file)
		}
		all = append(all, v)
	}
	return all
}

// answer is an error as the lines of a vector.
func answer(err error) []string {
	if err == nil {
		return []string{"ok"}
	}
	return strings.Split(err.Error(), "\n")
}

// run answers a vector.
func (v vector) run(t *testing.T) []string {
	t.Helper()
	switch v.form {
	case "manifest":
		_, err := capabilities.ParseManifest(v.payload)
		// A signature changes nothing about what is accepted.
		if _, signed := open(wrap(envelope(v.payload))); (signed == nil) != (err == nil) && !errors.Is(signed, capabilities.ErrSignature) && !errors.Is(signed, capabilities.ErrModule) {
			t.Errorf("%s: parsing says %v, verifying says %v", v.name, err, signed)
		}
		return answer(err)
	case "envelope":
		agree(t, wrap(v.payload))
		_, err := open(wrap(v.payload))
		return answer(err)
	case "hex":
		file, err := hex.DecodeString(strings.ReplaceAll(string(v.payload), "\n", ""))
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		agree(t, file)
		_, err = open(file)
		return answer(err)
	}
	t.Fatalf("%s: unknown form %q", v.name, v.form)
	return nil
}

func check(t *testing.T, folder string, least int, table []vector) {
	t.Helper()
	if *update {
		dir := filepath.Join(vectors, folder)
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		for _, v := range table {
			v.expect = v.run(t)
			v.write(t, dir)
		}
	}
	good := 0
	for _, v := range load(t, folder, least) {
		t.Run(v.name, func(t *testing.T) {
			if got := v.run(t); strings.Join(got, "\n") != strings.Join(v.expect, "\n") {
				t.Errorf("%s\ngot  %s\nwant %s", v.comment, strings.Join(got, "\n     "), strings.Join(v.expect, "\n     "))
			}
		})
		if v.expect[0] == "ok" {
			good++
		}
	}
	if good < 2 {
		t.Errorf("only %d vectors are accepted: everything might be refused for one reason", good)
	}
}

// wrap is an empty module with content as its envelope section.
func wrap(content []byte) []byte {
	return append(bytes.Clone(emptyModule), custom(capabilities.SectionName, string(content))...)
}

// envelope signs payload with the test key, whatever it is.
func envelope(payload []byte) []byte {
	pub := testKey.Public().(ed25519.PublicKey)
	return fmt.Appendf(nil, `{"payload":"%s","payloadType":"%s","signatures":[{"keyid":"%s","sig":"%s"}]}`,
		base64.StdEncoding.EncodeToString(payload), capabilities.PayloadType, capabilities.KeyID(pub), sign(payload, capabilities.PayloadType))
}

// sign is an independent spelling of DSSE's signature.
func sign(payload []byte, payloadType string) string {
	pae := fmt.Sprintf("DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	return base64.StdEncoding.EncodeToString(ed25519.Sign(testKey, []byte(pae)))
}

// hexLines is data in hex, in lines of 32 bytes.
func hexLines(data []byte) []byte {
	var lines []string
	for len(data) > 32 {
		lines = append(lines, hex.EncodeToString(data[:32]))
		data = data[32:]
	}
	return []byte(strings.Join(append(lines, hex.EncodeToString(data)), "\n"))
}
