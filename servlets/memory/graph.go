package main

import (
	"context"
	"encoding/json"
	"strings"
	"unicode"

	servlet "github.com/writ-run/writ/sdk/go"
)

type entity struct {
	Name         string   `json:"name" min:"1" max:"200" description:"What it is called, the same each time"`
	Type         string   `json:"entityType" max:"200" description:"What it is: person, project, city"`
	Observations []string `json:"observations" description:"What is known of it, one fact each"`
}

type relation struct {
	From string `json:"from" min:"1" max:"200" description:"Name of the entity that the relation starts at"`
	To   string `json:"to" min:"1" max:"200" description:"Name of the entity that it leads to"`
	Type string `json:"relationType" min:"1" max:"100" description:"What they have to do with each other, in active voice: works at"`
}

type graph struct {
	Entities  []entity   `json:"entities"`
	Relations []relation `json:"relations"`
}

// Where things are kept. An entity has a key of its own, so that calls about different ones never meet; a
// relation is all in its key.
const (
	entities  = "entity/"
	relations = "relation/"
	separator = "\t" // no name has one
)

// The longest names, in bytes: a relation's three have to fit into one key.
const (
	maxName = 200
	maxType = 100
)

// known is an entity as it is kept, under its name.
type known struct {
	Type         string   `json:"type"`
	Observations []string `json:"observations"`
}

func (k known) entity(name string) entity {
	if k.Observations == nil {
		k.Observations = []string{}
	}
	return entity{name, k.Type, k.Observations}
}

// checkName refuses what cannot be a part of a key, and names that look like another on a screen.
func checkName(what, name string, limit int) error {
	switch {
	case name == "":
		return servlet.Errorf("%s is empty", what)
	case len(name) > limit:
		return servlet.Errorf("%s %.40q... is longer than %d bytes: use a shorter one", what, name, limit)
	case strings.ContainsFunc(name, unicode.IsControl):
		return servlet.Errorf("%s %.60q has a line break or another control character", what, name)
	case strings.TrimSpace(name) != name:
		return servlet.Errorf("%s %.60q begins or ends with a space", what, name)
	}
	return nil
}

func (r relation) check() error {
	if err := checkName("the name of the entity in \"from\"", r.From, maxName); err != nil {
		return err
	}
	if err := checkName("the name of the entity in \"to\"", r.To, maxName); err != nil {
		return err
	}
	return checkName("the relation", r.Type, maxType)
}

func (r relation) key() string {
	return relations + r.From + separator + r.To + separator + r.Type
}

// remembered reads an entity; false: there is none of that name.
func remembered(ctx context.Context, name string) (k known, found bool, err error) {
	if len(name) == 0 || len(name) > maxName {
		return known{}, false, nil
	}
	found, err = servlet.KV.GetJSON(ctx, entities+name, &k)
	return k, found, err
}

func remember(ctx context.Context, name string, k known) error {
	return servlet.KV.SetJSON(ctx, entities+name, k)
}

// allEntities reads the entities that are wanted.
func allEntities(ctx context.Context, wanted func(entity) bool) ([]entity, error) {
	found := []entity{}
	for e, err := range servlet.KV.All(ctx, entities) {
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(e.Key, entities)
		var k known
		if err := json.Unmarshal(e.Value, &k); err != nil {
			return nil, servlet.Errorf("what is kept of %q cannot be read: delete the entity and create it again", name)
		}
		if one := k.entity(name); wanted(one) {
			found = append(found, one)
		}
	}
	return found, nil
}

// allRelations reads the relations that are wanted.
func allRelations(ctx context.Context, wanted func(relation) bool) ([]relation, error) {
	found := []relation{}
	for l := (servlet.KVList{Prefix: relations}); ; {
		page, err := servlet.KV.List(ctx, l)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Entries {
			parts := strings.Split(strings.TrimPrefix(e.Key, relations), separator)
			if len(parts) != 3 {
				continue // none of this servlet's
			}
			if r := (relation{parts[0], parts[1], parts[2]}); wanted(r) {
				found = append(found, r)
			}
		}
		if l.Cursor = page.Cursor; l.Cursor == "" {
			return found, nil
		}
	}
}
