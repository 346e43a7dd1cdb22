package host

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/sandbox/extism"
)

const (
	maxBlocks = 1000
	maxURI    = 2048 // bytes
)

// metaCleaned tells a client how many characters were dropped from a result.
const metaCleaned = "run.writ/cleaned"

// accept turns what a guest wrote into a result. It stays the guest's own JSON, byte for byte, unless
// something had to be dropped from its texts.
func (c *call) accept(output []byte) (json.RawMessage, error) {
	output, err := c.translated(output)
	if err != nil {
		return nil, err
	}
	r, err := readResult(output)
	if err == nil {
		err = r.structure(c.signed)
	}
	if err != nil {
		var above excess
		errors.As(err, &above)
		return nil, refuseAt(above.limit, StatusTool, fmt.Sprintf("The tool's answer was refused: %v. %s", err, c.reference()), "result: "+err.Error())
	}
	c.done.Cleaned = r.cleaned
	c.done.Status = StatusOK
	if r.isError {
		c.done.Status, c.done.Reason = StatusTool, "reported by the tool"
	}
	return r.raw, nil
}

// translated is output in the form of this protocol's results, which plug-ins of others' hosts have not
// always had. What is too deep or too large is left as it is, to be refused. It is refused here when it became
// larger than a result may be: the guest was held to that before.
func (c *call) translated(output []byte) ([]byte, error) {
	if c.loaded.manifest.Module.ABI != capabilities.ABIExtism || bounded(output) != nil {
		return output, nil
	}
	output = extism.Result(output)
	if most := c.output(); len(output) > most {
		return nil, c.fault(&sandbox.Fault{
			Kind: sandbox.FaultLimit, Limit: sandbox.LimitOutput, Text: fmt.Sprintf("the result is larger than the %d KiB that are granted", most>>10),
		})
	}
	return output, nil
}

// result is a CallToolResult that was checked.
// Source: Model Context Protocol, revision 2026-07-28, schema.ts, "CallToolResult".
type result struct {
	raw        json.RawMessage
	structured json.RawMessage
	isError    bool
	cleaned    int
}

// readResult checks and cleans the output of a guest. Its errors are the host's words; names in them
// are quoted.
func readResult(output []byte) (result, error) {
	if err := bounded(output); err != nil {
		return result{}, err
	}
	compact, err := strictjson.Compact(output)
	if err != nil {
		return result{}, err
	}
	compact, cleaned, err := cleanJSON(compact)
	if err != nil {
		return result{}, err
	}
	members := membersOf(compact)
	if members == nil {
		return result{}, errors.New("it is not a JSON object")
	}
	r := result{raw: output, structured: members["structuredContent"], cleaned: cleaned}
	if err := r.members(members); err != nil {
		return result{}, err
	}
	if cleaned > 0 {
		if r.raw, err = withMeta(members, metaCleaned, cleaned); err != nil {
			return result{}, err
		}
	}
	return r, nil
}

// members checks the members of a result. Others than these are the server's to write: a guest that
// wrote inputRequests would ask the user questions that no one granted.
func (r *result) members(members map[string]json.RawMessage) error {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		switch name {
		case "structuredContent":
		case "isError":
			if r.isError = string(value) == "true"; !r.isError && string(value) != "false" {
				return errors.New("isError is not true or false")
			}
		case "_meta":
			if err := checkMeta(value); err != nil {
				return err
			}
		case "content":
			blocks, ok := itemsOf(value)
			if !ok {
				return errors.New("content is not an array")
			}
			if len(blocks) > maxBlocks {
				return excess{LimitBlocks, fmt.Sprintf("content has %d blocks; at most %d are allowed", len(blocks), maxBlocks)}
			}
			for i, raw := range blocks {
				if err := checkBlock(raw); err != nil {
					return fmt.Errorf("content[%d]: %w", i, err)
				}
			}
		default:
			return fmt.Errorf("it has the unknown member %s", quote(name))
		}
	}
	if members["content"] == nil && members["structuredContent"] == nil {
		return errors.New("it has no content")
	}
	return nil
}

func quote(s string) string { return `"` + capabilities.Printable(s, 64) + `"` }

// checkMeta refuses keys by which a guest would speak as the host or the protocol.
func checkMeta(raw json.RawMessage) error {
	meta := membersOf(raw)
	if meta == nil {
		return errors.New("_meta is not an object")
	}
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		if capabilities.ReservedMeta(key) {
			return fmt.Errorf("_meta has the reserved key %s", quote(key))
		}
	}
	return nil
}

// checkBlock checks one content block by its type. Members that are not named here are passed on.
func checkBlock(raw json.RawMessage) error {
	b := membersOf(raw)
	if b == nil {
		return errors.New("not an object")
	}
	if b["icons"] != nil {
		return errors.New("icons are not allowed")
	}
	if meta := b["_meta"]; meta != nil {
		if err := checkMeta(meta); err != nil {
			return err
		}
	}
	switch kind, _ := text(b, "type"); kind {
	case "text":
		_, err := text(b, "text")
		return err
	case "image", "audio":
		return checkMedia(kind, b)
	case "resource_link":
		if _, err := text(b, "name"); err != nil {
			return err
		}
		return checkURI(b)
	case "resource":
		r := b["resource"]
		if r == nil || r[0] != '{' {
			return errors.New("resource is not an object")
		}
		return checkResource(membersOf(r))
	default:
		return fmt.Errorf("unknown type %s", quote(kind))
	}
}

// text reads a member that must be a string.
func text(b map[string]json.RawMessage, name string) (string, error) {
	raw := b[name]
	if raw == nil || raw[0] != '"' {
		return "", fmt.Errorf("%s is not a string", name)
	}
	return textOf(raw), nil
}

func checkResource(b map[string]json.RawMessage) error {
	if err := checkURI(b); err != nil {
		return fmt.Errorf("resource: %w", err)
	}
	if meta := b["_meta"]; meta != nil {
		if err := checkMeta(meta); err != nil {
			return fmt.Errorf("resource: %w", err)
		}
	}
	if b["blob"] == nil {
		_, err := text(b, "text")
		return err
	}
	_, err := binary(b, "blob")
	return err
}

// binary reads a member that must be base64, in the one form that every client reads alike.
func binary(b map[string]json.RawMessage, name string) ([]byte, error) {
	s, err := text(b, name)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("%s is not base64", name)
	}
	return data, nil
}

var mediaType = regexp.MustCompile(`^(image|audio)/[a-z0-9][a-z0-9.+-]{0,63}$`)

// signatures of the formats that clients decode themselves: data that only claims to be one of them
// is made for another reader.
var signatures = map[string]string{
	"image/png": "\x89PNG\r\n\x1a\n", "image/jpeg": "\xff\xd8\xff", "image/gif": "GIF8", "image/webp": "RIFF", "audio/wav": "RIFF",
}

func checkMedia(kind string, b map[string]json.RawMessage) error {
	data, err := binary(b, "data")
	if err != nil {
		return err
	}
	mime, err := text(b, "mimeType")
	if err != nil {
		return err
	}
	if !mediaType.MatchString(mime) || !strings.HasPrefix(mime, kind+"/") {
		return fmt.Errorf("mimeType %s is not of a kind of %s", quote(mime), kind)
	}
	if sign := signatures[mime]; !strings.HasPrefix(string(data), sign) {
		return fmt.Errorf("the data is not %s", mime)
	}
	return nil
}

// schemes of URIs that a client may show as a link: they name something elsewhere. Others (file,
// javascript, data, ...) name what is on the user's own machine, or run.
var schemes = []string{"https", "http", "mailto"}

// checkURI checks the uri of a link or resource. "servlet:" is for contents that come with the result
// and lie nowhere else.
func checkURI(b map[string]json.RawMessage) error {
	s, err := text(b, "uri")
	if err != nil {
		return err
	}
	if len(s) > maxURI {
		return fmt.Errorf("uri has %d bytes; at most %d are allowed", len(s), maxURI)
	}
	u, err := url.Parse(s)
	if err != nil {
		return errors.New("uri is not a URI")
	}
	own := u.Scheme == "servlet" && (b["text"] != nil || b["blob"] != nil)
	if !own && !slices.Contains(schemes, u.Scheme) {
		return fmt.Errorf("uri scheme %s is not allowed; allowed are %s", quote(u.Scheme), strings.Join(schemes, ", "))
	}
	if u.User != nil {
		return errors.New("uri has a user name, which hides where it leads")
	}
	return nil
}

// structure compares structuredContent with what the tool promised. A failed call promises nothing.
func (r *result) structure(t *tool) error {
	if t.output == nil || r.isError {
		return nil
	}
	if r.structured == nil {
		return errors.New("it has no structuredContent, which the tool's outputSchema promises")
	}
	s, err := t.output()
	if err != nil {
		return errors.New("the tool's outputSchema cannot be used")
	}
	return s.Check(r.structured)
}

// withMeta writes a result whose _meta has one more key.
func withMeta(members map[string]json.RawMessage, key string, value int) (json.RawMessage, error) {
	meta := map[string]json.RawMessage{}
	if raw := members["_meta"]; raw != nil {
		meta = membersOf(raw)
	}
	meta[key] = fmt.Appendf(nil, "%d", value)
	raw, err := strictjson.Encode(meta)
	if err != nil {
		return nil, err
	}
	members = maps.Clone(members)
	members["_meta"] = raw
	return strictjson.Encode(members)
}
