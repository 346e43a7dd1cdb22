// Package hostile makes the arguments that a tool's author did not think of, from the tool's input schema:
// values at its edges and beyond, and texts that have broken other programs. The same schema, seed and number
// make the same arguments.
package hostile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// Input is one generated value for a tool's arguments. It need not be JSON.
type Input struct {
	Arguments []byte
	Why       string // what is odd about it; plain text of the schema's names
	// Forbidden says that the schema rules it out: a host that lets it through does not check.
	Forbidden bool
}

// Hints are what is known of the tool beside its schema.
type Hints struct {
	Folders []string // where the tool sees the folders that it was given
	Files   []string // in them
}

// most bounds what is made before it is chosen from.
const most = 5000

// Inputs makes at most n inputs for a schema. Where there are more edges than n, seed chooses; where there
// are fewer, the rest are combinations of them.
func Inputs(schema []byte, hints Hints, n int, seed uint64) []Input {
	root, ok := decode(schema).(map[string]any)
	if !ok || n <= 0 {
		return nil
	}
	g := &generator{root: root, hints: hints, allowed: map[string][]edge{}, random: rand.New(rand.NewPCG(seed, 0x77726974))}
	sample := g.sample(root, 0, true)
	all := g.malformed(sample)
	for _, e := range g.edges(root, "", "arguments", 0) {
		all = append(all, Input{Arguments: encode(e.value), Why: e.why, Forbidden: e.forbidden})
	}
	g.random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	// The plain ones first: what fails on them fails on all.
	all = append([]Input{
		{Arguments: encode(sample), Why: "every argument"},
		{Arguments: encode(g.sample(root, 0, false)), Why: "required arguments alone"},
	}, all...)
	seen := map[string]bool{}
	all = slices.DeleteFunc(all, func(in Input) bool {
		again := seen[string(in.Arguments)]
		seen[string(in.Arguments)] = true
		return again
	})
	for tries := 0; len(all) < n && tries < 4*n; tries++ {
		if made := encode(g.mixed(root)); !seen[string(made)] {
			seen[string(made)] = true
			all = append(all, Input{Arguments: made, Why: "a combination"})
		}
	}
	return all[:min(n, len(all))]
}

type generator struct {
	root    map[string]any
	hints   Hints
	random  *rand.Rand
	made    int
	allowed map[string][]edge // by property of the root, for mixed
}

// edge is a value that is odd in one place.
type edge struct {
	value     any
	why       string
	forbidden bool
}

func decode(text []byte) (v any) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

func encode(v any) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return []byte("{}")
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// malformed are inputs that are no strict JSON object, whatever the schema says. All are forbidden.
func (g *generator) malformed(sample any) (all []Input) {
	plain := string(encode(sample))
	for why, text := range map[string]string{
		"not an object": "[]", "no JSON": "{", "text after the end": plain + "x", "a second value": plain + "{}",
		"a byte order mark": "\ufeff" + plain, "nesting without end": strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000),
	} {
		all = append(all, Input{Arguments: []byte(text), Why: why, Forbidden: true})
	}
	object, _ := sample.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if text, ok := object[name].(string); ok {
			for why, value := range map[string]string{
				"a lone surrogate": `"\ud800"`, "bytes that are no UTF-8": "\"\xff\xfe\"", "half a character": "\"\xe2\x82\"",
			} {
				changed := maps.Clone(object)
				marker := "\x01writ\x01"
				changed[name] = marker + text
				text := strings.Replace(string(encode(changed)), string(encode(changed[name])), value, 1)
				all = append(all, Input{Arguments: []byte(text), Why: fmt.Sprintf("%s: %s", name, why), Forbidden: true})
			}
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		twice := strings.TrimSuffix(plain, "}") + "," + string(encode(name)) + ":null}"
		all = append(all, Input{Arguments: []byte(twice), Why: name + ": twice", Forbidden: true})
		break
	}
	slices.SortFunc(all, func(a, b Input) int { return strings.Compare(a.Why, b.Why) })
	return all
}

// resolve follows references within the document.
func (g *generator) resolve(node map[string]any) map[string]any {
	for range 20 {
		ref, ok := node["$ref"].(string)
		if !ok {
			break
		}
		var at any = g.root
		for _, step := range strings.Split(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
			if step == "" {
				continue
			}
			inner, _ := at.(map[string]any)
			at = inner[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
		}
		target, ok := at.(map[string]any)
		if !ok {
			return map[string]any{}
		}
		node = target
	}
	return node
}

// edges are the values of a schema that are odd in one place.
func (g *generator) edges(node map[string]any, name, at string, depth int) []edge {
	if g.made > most || depth > 4 {
		return nil
	}
	node = g.resolve(node)
	all := g.local(node, name, at)
	g.made += len(all)
	sample, _ := g.sample(node, depth, true).(map[string]any)
	for inner, sub := range object(node["properties"]) {
		for _, e := range g.edges(sub, inner, join(at, inner), depth+1) {
			value := maps.Clone(sample)
			if value == nil {
				value = map[string]any{}
			}
			value[inner] = e.value
			all = append(all, edge{value, e.why, e.forbidden})
		}
	}
	if items, ok := node["items"].(map[string]any); ok {
		for _, e := range g.edges(items, name, at+"[]", depth+1) {
			all = append(all, edge{[]any{e.value}, e.why, e.forbidden})
		}
	}
	return sorted(all)
}

func join(at, name string) string {
	if at == "arguments" {
		return name
	}
	return at + "." + name
}

// object is a schema's map of schemas.
func object(v any) map[string]map[string]any {
	out := map[string]map[string]any{}
	members, _ := v.(map[string]any)
	for name, sub := range members {
		if node, ok := sub.(map[string]any); ok {
			out[name] = node
		}
	}
	return out
}

// mixed is a value of which every part is a random edge that is not forbidden.
func (g *generator) mixed(root map[string]any) any {
	value, _ := g.sample(root, 0, true).(map[string]any)
	properties := object(g.resolve(root)["properties"])
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		all, made := g.allowed[name]
		if !made {
			all = slices.DeleteFunc(g.local(g.resolve(properties[name]), name, name), func(e edge) bool { return e.forbidden })
			g.allowed[name] = all
		}
		switch {
		case len(all) > 0 && g.random.IntN(4) > 0:
			value[name] = all[g.random.IntN(len(all))].value
		case g.random.IntN(3) == 0 && !slices.Contains(texts(root["required"]), name):
			delete(value, name)
		}
	}
	return value
}

func texts(v any) (out []string) {
	items, _ := v.([]any)
	for _, item := range items {
		if text, ok := item.(string); ok {
			out = append(out, text)
		}
	}
	return out
}
