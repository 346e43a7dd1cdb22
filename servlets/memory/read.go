package main

import (
	"context"
	"slices"
	"strings"
)

func readGraph(ctx context.Context, _ struct{}) (graph, error) {
	found, err := allEntities(ctx, func(entity) bool { return true })
	if err != nil {
		return graph{}, err
	}
	between, err := allRelations(ctx, func(relation) bool { return true })
	return graph{found, between}, err
}

type query struct {
	Query string `json:"query" max:"1000" description:"Words that an entity has to have, each of them, anywhere"`
}

func searchNodes(ctx context.Context, in query) (graph, error) {
	words := strings.Fields(strings.ToLower(in.Query))
	found, err := allEntities(ctx, func(e entity) bool {
		text := strings.ToLower(e.Name + "\n" + e.Type + "\n" + strings.Join(e.Observations, "\n"))
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
	})
	if err != nil {
		return graph{}, err
	}
	return around(ctx, found)
}

type names struct {
	Names []string `json:"names" description:"Exact names of entities"`
}

func openNodes(ctx context.Context, in names) (graph, error) {
	found := []entity{}
	for i, name := range in.Names {
		k, ok, err := remembered(ctx, name)
		if err != nil {
			return graph{}, err
		}
		if ok && !slices.Contains(in.Names[:i], name) {
			found = append(found, k.entity(name))
		}
	}
	return around(ctx, found)
}

// around adds the relations from and to entities.
func around(ctx context.Context, found []entity) (graph, error) {
	there := map[string]bool{}
	for _, e := range found {
		there[e.Name] = true
	}
	touching, err := allRelations(ctx, func(r relation) bool { return there[r.From] || there[r.To] })
	return graph{found, touching}, err
}
