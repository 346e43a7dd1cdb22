package capabilities_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

func TestEnvelopeVectors(t *testing.T) {
	check(t, "envelope", 30, append(envelopeVectors(), frameVectors()...))
}

// envelopeVectors change a good envelope by replacing text in it. Nothing is signed again, unless a
// case says so: most would hold if readers were lenient.
func envelopeVectors() []vector {
	payload := []byte(baseManifest)
	good := string(envelope(payload))
	body := base64.StdEncoding.EncodeToString(payload)
	sig := sign(payload, capabilities.PayloadType)
	id := capabilities.KeyID(testKey.Public().(ed25519.PublicKey))
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)).Public().(ed25519.PublicKey)
	one := `{"keyid":"` + id + `","sig":"` + sig + `"}`
	next := "application/vnd.writ.manifest.v2+json"
	plain := "application/vnd.other+json"

	var all []vector
	add := func(name, comment string, replace ...string) {
		text := strings.NewReplacer(replace...).Replace(good)
		if len(replace) > 0 && text == good {
			panic("BUG: vector " + name + " changes nothing")
		}
		all = append(all, vector{name: name, comment: comment, form: "envelope", payload: []byte(text)})
	}
	add("good", "The envelope that the others change.")
	add("space-between-fields", "White space is not signed, so it must not be there.", `,"payloadType"`, `, "payloadType"`)
	add("trailing-line-break", "As an editor leaves it.", `]}`, "]}\n")
	add("fields-in-other-order", "One order only.", `{"payload":"`+body+`","payloadType":"`+capabilities.PayloadType+`",`, `{"payloadType":"`+capabilities.PayloadType+`","payload":"`+body+`",`)
	add("escaped-character", "The same string in another spelling.", `"keyid":"`, `"keyi\u0064":"`)
	add("escaped-line-break-in-payload", "Base64 decoders skip line breaks.", body[:40], body[:40]+`\n`)
	add("stray-bits-in-signature", "The last character of base64 carries bits that decode to nothing.", sig[len(sig)-4:], strayBits(sig))
	add("no-padding", "Another alphabet of lengths.", sig, strings.TrimRight(sig, "="))
	add("url-alphabet", "Another base64.", sig, strings.NewReplacer("+", "-", "/", "_").Replace(sig))
	add("unknown-field", "What is not known is not ignored.", `]}`, `],"more":1}`)
	add("field-in-other-case", "Lenient readers take it for payload.", `{"payload"`, `{"Payload"`)
	add("payload-twice", "Readers differ in which one they take.", `{"payload"`, `{"payload":"","payload"`)
	add("payload-null", "Null is not a string.", `"`+body+`"`, `null`)
	add("no-signature", "An empty list would be signed by everybody.", one, ``)
	add("same-signature-twice", "The same key must not count twice.", one, one+`,`+one)
	add("second-signature-unknown", "An unknown second signature would be unsigned bytes.", one, one+`,{"keyid":"`+capabilities.KeyID(other)+`","sig":"`+sig+`"}`)
	add("keyid-of-another-key", "The key id must be that of the manifest's publisher.", id, capabilities.KeyID(other))
	add("keyid-in-capitals", "One spelling of a key id.", id, strings.ToUpper(id))
	add("keyid-empty", "DSSE allows it; here it names the key.", id, "")
	add("signature-short", "Half a signature.", sig, sig[:44])
	add("signature-of-zeros", "Nobody's signature.", sig, base64.StdEncoding.EncodeToString(make([]byte, 64)))
	add("payload-changed", "One character of the manifest, after signing.", body, base64.StdEncoding.EncodeToString(bytes.Replace(payload, []byte("1.0.0"), []byte("1.0.1"), 1)))
	add("payload-type-of-a-later-writ", "Said in so many words.", capabilities.PayloadType, next, sig, sign(payload, next))
	add("payload-type-of-another-format", "A signature of another format, by the same key, is not one of a manifest.", capabilities.PayloadType, plain, sig, sign(payload, plain))
	add("signed-for-another-type", "The type is inside the signed bytes.", sig, sign(payload, plain))
	add("signed-without-pae", "A bare signature of the payload.", sig, base64.StdEncoding.EncodeToString(ed25519.Sign(testKey, payload)))
	add("not-json", "Something else in the section.", good, "hello")
	add("empty-section", "Nothing in the section.", good, "")
	return all
}

// strayBits returns the last four characters of s with a bit set that decodes to nothing.
func strayBits(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	at := strings.TrimRight(s, "=")
	last := strings.IndexByte(alphabet, at[len(at)-1])
	changed := at[:len(at)-1] + string(alphabet[last|1]) + s[len(at):]
	return changed[len(changed)-4:]
}

// frameVectors change the sections around a good envelope.
func frameVectors() []vector {
	content := envelope([]byte(baseManifest))
	good := wrap(content)
	section := good[len(emptyModule):]
	more := custom("name", "x")
	size := section[1:3] // the section's length takes two bytes
	padded := slices.Concat(emptyModule, []byte{0, size[0], size[1] | 0x80, 0}, section[3:])
	paddedName := slices.Concat([]byte{byte(len(capabilities.SectionName)) | 0x80, 0}, []byte(capabilities.SectionName), content)
	twin := slices.Concat(emptyModule, custom(capabilities.SectionName, "{}"), section)

	var all []vector
	add := func(name, comment string, file []byte) {
		all = append(all, vector{name: "file-" + name, comment: comment, form: "hex", payload: hexLines(file)})
	}
	add("good", "An empty module and its envelope.", good)
	add("empty", "No bytes at all.", nil)
	add("module-alone", "A module that nobody signed.", emptyModule)
	add("not-wasm", "A script.", []byte("#!/bin/sh\n"))
	add("component", "A WebAssembly component, which has another version.", []byte("\x00asm\x0d\x00\x01\x00"))
	add("envelope-not-last", "A section behind the envelope.", slices.Concat(good, more))
	add("envelope-twice", "The same envelope again.", slices.Concat(good, section))
	add("two-envelopes", "A good one behind a bad one.", twin)
	add("trailing-byte", "One byte behind the envelope.", append(bytes.Clone(good), 0))
	add("cut", "The last byte is missing.", good[:len(good)-1])
	add("padded-section-length", "Three bytes for a length that needs two: the same section in other bytes.", padded)
	add("padded-name-length", "Two bytes for the length of the name.", slices.Concat(emptyModule, rawSection(paddedName)))
	add("length-of-six-bytes", "A length above 32 bits.", slices.Concat(emptyModule, []byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}))
	add("length-beyond-the-file", "A section of four gigabytes.", slices.Concat(emptyModule, []byte{0, 0xff, 0xff, 0xff, 0xff, 0x0f}))
	add("name-beyond-the-section", "A custom section shorter than its name.", slices.Concat(emptyModule, []byte{0, 2, 13, 'w'}, section))
	add("section-before-it", "The envelope is for another module than this one.", slices.Concat(emptyModule, more, section))
	return all
}

// rawSection is a custom section with the given body, name and all.
func rawSection(body []byte) []byte {
	return slices.Concat(binary.AppendUvarint([]byte{0}, uint64(len(body))), body)
}
