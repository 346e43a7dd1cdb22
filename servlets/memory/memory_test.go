package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/sdk/go/servlettest"
)

// step is a call and what comes of it: the whole answer, or a part of the error.
type step struct{ tool, arguments, want string }

func play(t *testing.T, kv map[string][]byte, steps []step) {
	t.Helper()
	s := servlettest.New(t, servlettest.Host{KV: kv, KVQuota: 1 << 20})
	for _, one := range steps {
		r := s.Call(one.tool, one.arguments)
		wrong, isError := strings.CutPrefix(one.want, "error: ")
		if isError && (!r.IsError || !strings.Contains(r.Text(), wrong)) || !isError && (r.IsError || r.Text() != one.want || string(r.Structured) != one.want) {
			t.Errorf("%s %s\ngot  %s\nwant %s", one.tool, one.arguments, r.Text(), one.want)
		}
	}
}

const (
	ana   = `{"name":"Ana","entityType":"person","observations":["speaks Polish"]}`
	acme  = `{"name":"Acme","entityType":"company","observations":[]}`
	works = `{"from":"Ana","to":"Acme","relationType":"works at"}`
	likes = `{"from":"Bo","to":"Ana","relationType":"likes"}`
)

// told is a graph of the two entities and relations above.
func told(t *testing.T) map[string][]byte {
	t.Helper()
	kv := map[string][]byte{}
	play(t, kv, []step{
		{"create_entities", `{"entities":[` + ana + `,` + acme + `]}`, `{"entities":[` + ana + `,` + acme + `]}`},
		{"create_relations", `{"relations":[` + works + `,` + likes + `]}`, `{"relations":[` + works + `,` + likes + `]}`},
	})
	return kv
}

func TestWhatIsCreatedIsThere(t *testing.T) {
	kv := told(t)
	if keys := slices.Sorted(maps.Keys(kv)); !slices.Equal(keys, []string{"entity/Acme", "entity/Ana", "relation/Ana\tAcme\tworks at", "relation/Bo\tAna\tlikes"}) {
		t.Errorf("keys %q", keys)
	}
	all := `{"entities":[` + acme + `,` + ana + `],"relations":[` + works + `,` + likes + `]}`
	play(t, kv, []step{
		{"read_graph", `{}`, all},
		{"create_entities", `{"entities":[{"name":"Ana","entityType":"robot","observations":["is new"]}]}`, `{"entities":[]}`},
		{"create_relations", `{"relations":[` + works + `,` + works + `]}`, `{"relations":[]}`},
		{"read_graph", `{}`, all},
		{"create_entities", `{"entities":[{"name":"Bo","entityType":"","observations":["a","a","b"]}]}`, `{"entities":[{"name":"Bo","entityType":"","observations":["a","b"]}]}`},
	})
}

func TestObservations(t *testing.T) {
	kv := told(t)
	play(t, kv, []step{
		{"add_observations", `{"observations":[{"entityName":"Ana","contents":["speaks Polish","likes tea","likes tea"]}]}`, `{"results":[{"entityName":"Ana","addedObservations":["likes tea"]}]}`},
		{"add_observations", `{"observations":[{"entityName":"Ana","contents":["is tall"]},{"entityName":"Nobody","contents":["x"]}]}`, `error: no entity is named "Nobody"`},
		{"open_nodes", `{"names":["Ana"]}`, `{"entities":[{"name":"Ana","entityType":"person","observations":["speaks Polish","likes tea"]}],"relations":[` + works + `,` + likes + `]}`},
		{"delete_observations", `{"deletions":[{"entityName":"Ana","observations":["speaks Polish","never said"]},{"entityName":"Nobody","observations":["x"]}]}`, `{"deletedEntities":0,"deletedObservations":1,"deletedRelations":0}`},
		{"open_nodes", `{"names":["Ana","Ana","Nobody",""]}`, `{"entities":[{"name":"Ana","entityType":"person","observations":["likes tea"]}],"relations":[` + works + `,` + likes + `]}`},
	})
}

func TestDeleting(t *testing.T) {
	kv := told(t)
	play(t, kv, []step{
		{"delete_relations", `{"relations":[` + likes + `,` + likes + `,{"from":"a\nb","to":"c","relationType":"d"}]}`, `{"deletedEntities":0,"deletedObservations":0,"deletedRelations":1}`},
		{"delete_entities", `{"entityNames":["Ana","Nobody"]}`, `{"deletedEntities":1,"deletedObservations":1,"deletedRelations":1}`},
		{"read_graph", `{}`, `{"entities":[` + acme + `],"relations":[]}`},
		{"delete_entities", `{"entityNames":["Acme"]}`, `{"deletedEntities":1,"deletedObservations":0,"deletedRelations":0}`},
		{"read_graph", `{}`, `{"entities":[],"relations":[]}`},
	})
	if len(kv) > 0 {
		t.Errorf("still kept: %q", kv)
	}
}

func TestSearch(t *testing.T) {
	const nothing = `{"entities":[],"relations":[]}`
	onlyAna := `{"entities":[` + ana + `],"relations":[` + works + `,` + likes + `]}`
	kv := told(t)
	play(t, kv, []step{
		{"search_nodes", `{"query":"polish"}`, onlyAna},
		{"search_nodes", `{"query":" PERSON ana "}`, onlyAna},
		{"search_nodes", `{"query":"ana company"}`, nothing},
		{"search_nodes", `{"query":"comp"}`, `{"entities":[` + acme + `],"relations":[` + works + `]}`},
		{"search_nodes", `{"query":""}`, `{"entities":[` + acme + `,` + ana + `],"relations":[` + works + `,` + likes + `]}`},
		{"search_nodes", `{"query":"zebra"}`, nothing},
	})
}

// A name is part of a key: none reaches into another's.
func TestNamesThatAreRefused(t *testing.T) {
	kv := told(t)
	before := maps.Clone(kv)
	long := strings.Repeat("é", 101)
	play(t, kv, []step{
		{"create_entities", `{"entities":[{"name":"a\tb","entityType":"t","observations":[]}]}`, "error: control character"},
		{"create_entities", `{"entities":[{"name":" a","entityType":"t","observations":[]}]}`, "error: begins or ends with a space"},
		{"create_entities", `{"entities":[{"name":"` + long + `","entityType":"t","observations":[]}]}`, "error: longer than 200 bytes"},
		{"create_entities", `{"entities":[{"name":"New","entityType":"t","observations":[]},{"name":"\u0000","entityType":"t","observations":[]}]}`, "error: control character"},
		{"create_relations", `{"relations":[{"from":"Ana\tAcme","to":"x","relationType":"y"}]}`, "error: control character"},
		{"create_relations", `{"relations":[{"from":"Ana","to":"Acme","relationType":"` + strings.Repeat("é", 51) + `"}]}`, "error: longer than 100 bytes"},
		{"open_nodes", `{"names":["../entity/Ana","` + strings.Repeat("x", 600) + `"]}`, `{"entities":[],"relations":[]}`},
	})
	if len(kv) != len(before) {
		t.Errorf("kept %d keys, and %d before", len(kv), len(before))
	}
}

func TestALargeGraph(t *testing.T) {
	kv := map[string][]byte{}
	s := servlettest.New(t, servlettest.Host{KV: kv, KVQuota: 1 << 20})
	for i := range 30 {
		var all []entity
		var ties []relation
		for j := range 50 {
			name := fmt.Sprintf("entity %d/%d", i, j)
			all = append(all, entity{name, "thing", []string{strings.Repeat("x", 100)}})
			ties = append(ties, relation{name, "entity 0/0", "belongs to"})
		}
		if r := s.Call("create_entities", entitiesInput{all}); r.IsError {
			t.Fatal(r.Text())
		}
		if r := s.Call("create_relations", relationsInput{ties}); r.IsError {
			t.Fatal(r.Text())
		}
	}
	r := s.Call("read_graph", nil)
	if got := strings.Count(r.Text(), `"entityType"`); got != 1500 || strings.Count(r.Text(), `"relationType"`) != 1500 {
		t.Errorf("%d entities", got)
	}
	// What does not fit is said, and nothing of it stays.
	r = s.Call("create_entities", entitiesInput{[]entity{{"one more", "thing", nil}, {"a large one", "thing", []string{strings.Repeat("x", 1<<20)}}}})
	if !r.IsError || kv["entity/one more"] != nil {
		t.Errorf("%.100s", r.Text())
	}
}
