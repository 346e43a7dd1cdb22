package modules

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var envelopes = attack.Row{
	ID:    "A15",
	Title: "two manifests, a manifest that does not cover the file, one that was not signed, a module that was not meant",
	Mutants: []string{
		"envelope-once", "envelope-last", "envelope-minimal", "envelope-type", "envelope-signatures", "envelope-key-form", "envelope-canonical",
		"envelope-key", "envelope-signature", "envelope-module", "manifest-canonical", "json-unknown", "json-folded", "blob-digest", "tool-signed",
	},
	Run: func(r *attack.Report) {
		good, err := sealed()
		if err != nil {
			r.Variant("sealing", func() error { return err })
			return
		}
		r.Variant("the control: the file as it was signed", func() error { return opens(good.file()) })
		for name, c := range forged(good) {
			r.Variant(name, func() error { return refusedFile(c.file, c.want) })
		}
		file := good.file()
		for i := range file {
			for bit := range 8 {
				if (r.Thorough || bit == i%8) && r.Among(i, 10) {
					r.Variant(fmt.Sprintf("byte %d, bit %d flipped", i, bit), func() error {
						flipped := bytes.Clone(file)
						flipped[i] ^= 1 << bit
						if opens(flipped) == nil {
							return errors.New("it is believed")
						}
						return nil
					})
				}
			}
		}
		r.Variant("another file where an installed one is kept", func() error {
			return changedAtRest(func([]byte) ([]byte, error) {
				return target.Signed(target.Saying("evil"), target.Manifest("acme/good"))
			},
				"good_go is not ready: it is not the version that was approved. Mend it with: writ grant good")
		})
		r.Variant("a byte that was changed where a file is kept", func() error {
			return changedAtRest(func(file []byte) ([]byte, error) {
				file[bytes.Index(file, []byte("honest"))]++
				return file, nil
			}, "good_go is not ready: its file is damaged or missing. Mend it with: writ remove good, then install it again")
		})
		r.Variant("tools that the module describes and nobody signed", describedTools)
	},
}

// parts are a servlet file taken apart.
type parts struct {
	module, payload []byte
	keyID, sig      string
}

var publisher, stranger = target.Key("publisher"), target.Key("stranger")

// sealed is an honest servlet.
func sealed() (parts, error) {
	file, err := target.Signed(target.Saying("honest"), target.Release(target.Manifest("acme/honest"), 1))
	if err != nil {
		return parts{}, err
	}
	return takeApart(file)
}

func takeApart(file []byte) (p parts, err error) {
	unverified, err := capabilities.Read(file)
	if err != nil {
		return p, err
	}
	s, err := unverified.Verify()
	if err != nil {
		return p, err
	}
	p = parts{module: s.Module(), payload: s.Payload(), keyID: s.KeyID()}
	return p.signedBy(publisher), nil
}

// signedBy signs the payload as it is, whatever it is.
func (p parts) signedBy(key ed25519.PrivateKey) parts {
	message := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(capabilities.PayloadType), capabilities.PayloadType, len(p.payload), p.payload)
	p.sig, p.keyID = base64.StdEncoding.EncodeToString(ed25519.Sign(key, message)), capabilities.KeyID(key.Public().(ed25519.PublicKey))
	return p
}

// content is the envelope as Writ writes it.
func (p parts) content() string {
	return fmt.Sprintf(`{"payload":%q,"payloadType":%q,"signatures":[{"keyid":%q,"sig":%q}]}`,
		base64.StdEncoding.EncodeToString(p.payload), capabilities.PayloadType, p.keyID, p.sig)
}

func (p parts) file() []byte { return p.with(p.content()) }

// with is the file with another envelope.
func (p parts) with(content string) []byte {
	return append(bytes.Clone(p.module), envelope(content)...)
}

func envelope(content string) []byte {
	return w.Section(0, append(w.Name(capabilities.SectionName), content...))
}

// claiming has the manifest changed, and signed again by key.
func (p parts) claiming(from, to string, key ed25519.PrivateKey) parts {
	p.payload = []byte(strings.Replace(string(p.payload), from, to, 1))
	return p.signedBy(key)
}

// forgery is a file and how it has to be refused.
type forgery struct {
	want string
	file []byte
}

func forged(p parts) map[string]forgery {
	const reading, verifying = "reading servlet: ", "verifying servlet: "
	const again = ": get it again from its publisher"
	c := p.content()
	swap := func(from, to string) []byte { return p.with(strings.Replace(c, from, to, 1)) }
	other := p
	other.module = target.Saying("another")
	unsigned := bytes.Clone(p.module)
	strangers := p.signedBy(stranger)
	renamed := p
	renamed.keyID = strangers.keyID
	return map[string]forgery{
		"no envelope":                      {"not a servlet: no signed manifest in the file (was it built with \"writ build\"?)", unsigned},
		"the same envelope twice":          {reading + "2 envelopes at offsets N and N: a servlet has one" + again, append(p.file(), envelope(c)...)},
		"another envelope before":          {reading + "2 envelopes at offsets N and N: a servlet has one" + again, append(append(bytes.Clone(p.module), envelope("{}")...), envelope(c)...)},
		"code after the envelope":          {reading + "the envelope at offset N is not the last section: it would not cover what follows" + again, append(p.file(), w.Section(11, []byte{0})...)},
		"a custom section after it":        {reading + "the envelope at offset N is not the last section: it would not cover what follows" + again, append(p.file(), w.Section(0, w.Name("x"))...)},
		"bytes after it":                   {reading + "cut or damaged at offset N: a section does not fit the file" + again, append(p.file(), 0)},
		"a padded size":                    {reading + "the envelope at offset N has a padded length: only the shortest spelling is accepted" + again, append(bytes.Clone(p.module), pad(envelope(c))...)},
		"a padded name":                    {reading + "the envelope at offset N has a padded length: only the shortest spelling is accepted" + again, append(bytes.Clone(p.module), w.Section(0, append([]byte{0x8d, 0}, capabilities.SectionName+c...))...)},
		"another type of payload":          {reading + `envelope: payload type is "application/json", want "application/vnd.writ.manifest.v1+json"` + again, swap(capabilities.PayloadType, "application/json")},
		"a later type of payload":          {reading + `envelope: this servlet needs a newer Writ (payload type "application/vnd.writ.manifest.v2+json")` + again, swap("manifest.v1", "manifest.v2")},
		"no signature":                     {reading + "envelope: 0 signatures: want exactly one" + again, p.with(c[:strings.Index(c, "[")+1] + "]}")},
		"the same signature twice":         {reading + "envelope: 2 signatures: want exactly one" + again, p.with(c[:len(c)-2] + "," + c[strings.Index(c, "[")+1:])},
		"a key id in capitals":             {reading + "envelope: key id is not a SHA-256 in lower-case hex" + again, swap(p.keyID, strings.ToUpper(p.keyID))},
		"a key id of nothing":              {reading + "envelope: key id is not a SHA-256 in lower-case hex" + again, swap(p.keyID, "")},
		"a space in it":                    {reading + "envelope: not in canonical form: fields, order and spacing are fixed" + again, swap(`":`, `": `)},
		"another order":                    {reading + "envelope: not in canonical form: fields, order and spacing are fixed" + again, p.with(`{"payloadType":"` + capabilities.PayloadType + `",` + strings.Replace(c[1:], `"payloadType":"`+capabilities.PayloadType+`",`, "", 1))},
		"another spelling of a letter":     {reading + "envelope: not in canonical form: fields, order and spacing are fixed" + again, swap(`"payloadType":"a`, `"payloadType":"\u0061`)},
		"a key that signed and is not his": {verifying + "signature does not match: the envelope names key " + fingerprint(stranger) + ", the manifest " + fingerprint(publisher) + again, strangers.file()},
		"a signature by somebody else":     {verifying + "signature does not match: the manifest was changed after key " + fingerprint(publisher) + " signed it, or signed by another key" + again, foreign(p).file()},
		"another key's name":               {verifying + "signature does not match: the envelope names key " + fingerprint(stranger) + ", the manifest " + fingerprint(publisher) + again, renamed.file()},
		"a manifest that was changed":      {verifying + "signature does not match: the manifest was changed after key " + fingerprint(publisher) + " signed it, or signed by another key" + again, edited(p).file()},
		"the manifest of another module":   {verifying + fmt.Sprintf("module is not the one that was signed: it has %d bytes and SHA-256 %x", len(other.module), sha256.Sum256(other.module)) + again, other.file()},
		"a manifest in another spelling":   {verifying + "manifest: not in canonical form at offset N: sign what \"writ build\" writes", p.claiming(`"schema"`, ` "schema"`, publisher).file()},
		"a manifest with a key twice":      {verifying + "manifest: JSON: duplicate name at offset N", p.claiming(`"version":"1.0.0"`, `"version":"1.0.0","version":"2.0.0"`, publisher).file()},
		"a manifest with an unknown key":   {verifying + "manifest: JSON: unknown name at \"/admin\"", p.claiming(`"version":"1.0.0"`, `"version":"1.0.0","admin":true`, publisher).file()},
		"a manifest with a folded key":     {verifying + "manifest: JSON: unknown name at \"/Version\"", p.claiming(`"version"`, `"Version"`, publisher).file()},
		"a manifest and more":              {verifying + "manifest: not in canonical form at offset N: sign what \"writ build\" writes", appended(p, " ").file()},
		"a manifest after a BOM":           {verifying + "manifest: JSON: invalid character at offset N", p.claiming(`{"schema"`, "\uFEFF{\"schema\"", publisher).file()},
	}
}

func fingerprint(key ed25519.PrivateKey) string {
	return capabilities.Fingerprint(capabilities.KeyID(key.Public().(ed25519.PublicKey)))
}

// pad spells the size of a custom section in one byte more than it needs.
func pad(section []byte) []byte {
	i := 1
	for section[i]&0x80 != 0 {
		i++
	}
	out := append(bytes.Clone(section[:i]), section[i]|0x80, 0)
	return append(out, section[i+1:]...)
}

// foreign has a stranger's signature under the publisher's name.
func foreign(p parts) parts {
	s := p.signedBy(stranger)
	s.keyID = p.keyID
	return s
}

// edited has another manifest under the old signature.
func edited(p parts) parts {
	p.payload = []byte(strings.Replace(string(p.payload), "1.0.0", "1.0.1", 1))
	return p
}

func appended(p parts, more string) parts {
	p.payload = append(bytes.Clone(p.payload), more...)
	return p.signedBy(publisher)
}

var offset = regexp.MustCompile(`(at offsets?) \d+( and \d+)?|within .* offset \d+`)

// open reads a servlet file as an install does.
func open(file []byte) error {
	path, err := target.WriteFile("servlet.wasm", file)
	if err != nil {
		return err
	}
	_, err = approval.Read(context.Background(), path)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "reading "+path+": "))
	}
	return nil
}

func opens(file []byte) error { return open(file) }

func refusedFile(file []byte, want string) error {
	err := open(file)
	if err == nil {
		return errors.New("it is believed")
	}
	got := offset.ReplaceAllStringFunc(err.Error(), func(s string) string {
		return regexp.MustCompile(`\d+`).ReplaceAllString(s, "N")
	})
	if got != want {
		return fmt.Errorf("refused with %q; want %q", got, want)
	}
	return nil
}

// changedAtRest changes the file of an installed servlet, and wants its tool to say that it is not ready.
func changedAtRest(change func(file []byte) ([]byte, error), want string) error {
	h, err := target.NewHome(host.Config{})
	if err != nil {
		return err
	}
	in, err := h.Install(capabilities.DefaultSpace, "good", target.Saying("honest"), target.Manifest("acme/good"))
	if err != nil {
		return err
	}
	good, err := h.Registry.Blob(context.Background(), in.Digest)
	if err != nil {
		return err
	}
	evil, err := change(good)
	if err != nil {
		return err
	}
	blobs, err := filepath.Glob(filepath.Join(h.Registry.Home(), "*", in.Digest))
	if err != nil || len(blobs) != 1 {
		return fmt.Errorf("files %v, %w", blobs, err)
	}
	if err := errors.Join(os.Chmod(blobs[0], 0o600), os.WriteFile(blobs[0], evil, 0o600)); err != nil {
		return err
	}
	_, err = h.Registry.Blob(context.Background(), in.Digest)
	if !errors.Is(err, registry.ErrDamaged) {
		return fmt.Errorf("reading the file: %v", err)
	}
	return h.Want(capabilities.DefaultSpace, "good_go", "{}", host.StatusDenied, want)
}

// describedTools has a module describe a tool that its manifest does not have, and another text for one that it has.
func describedTools() error {
	const described = `{"tools":[{"name":"go","description":"EVIL","inputSchema":{}},{"name":"evil","description":"EVIL","inputSchema":{}}]}`
	m := &w.Module{}
	write := target.Import(m, "output_write")
	m.Memory(w.AtLeast(1))
	m.Data(0, []byte(described))
	body := w.Code(w.I32(0), w.I32(int32(len(described))), w.Call(write), w.Drop(), w.I32(0))
	m.Func("servlet_describe", "", "i", body)
	m.Func("servlet_call", "", "i", body)
	h, err := target.NewHome(host.Config{})
	if err != nil {
		return err
	}
	if _, err := h.Install(capabilities.DefaultSpace, "tools", m.Bytes(), target.Manifest("acme/tools")); err != nil {
		return err
	}
	by := target.Client(capabilities.DefaultSpace)
	tools, err := h.Host.Tools(context.Background(), by)
	if err != nil {
		return err
	}
	text, err := json.Marshal(tools)
	if err != nil || len(tools) != 1 || strings.Contains(string(text), "EVIL") {
		return fmt.Errorf("the list is %s, %w", text, err)
	}
	if _, err := h.Host.CallTool(context.Background(), by, host.Request{Tool: "tools_evil"}); !errors.Is(err, host.ErrUnknownTool) {
		return fmt.Errorf("calling what was not signed: %v", err)
	}
	return nil
}
