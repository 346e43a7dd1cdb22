package main

import (
	"context"
	"slices"

	servlet "github.com/writ-run/writ/sdk/go"
)

type entitiesInput struct {
	Entities []entity `json:"entities" description:"The entities to remember"`
}

type entitiesOutput struct {
	Entities []entity `json:"entities" description:"Those that are new"`
}

func createEntities(ctx context.Context, in entitiesInput) (entitiesOutput, error) {
	out := entitiesOutput{[]entity{}}
	for _, e := range in.Entities {
		if err := checkName("the name of an entity", e.Name, maxName); err != nil {
			return entitiesOutput{}, err
		}
		_, found, err := remembered(ctx, e.Name)
		if err != nil {
			return entitiesOutput{}, err
		}
		if found {
			continue
		}
		k := known{Type: e.Type, Observations: added(nil, e.Observations)}
		if err := remember(ctx, e.Name, k); err != nil {
			return entitiesOutput{}, err
		}
		out.Entities = append(out.Entities, k.entity(e.Name))
	}
	return out, nil
}

// added are those of more that are not among what is there already, each once.
func added(there, more []string) []string {
	fresh := []string{}
	for _, text := range more {
		if !slices.Contains(there, text) && !slices.Contains(fresh, text) {
			fresh = append(fresh, text)
		}
	}
	return fresh
}

type relationsInput struct {
	Relations []relation `json:"relations"`
}

type relationsOutput struct {
	Relations []relation `json:"relations" description:"Those that are new"`
}

func createRelations(ctx context.Context, in relationsInput) (relationsOutput, error) {
	out := relationsOutput{[]relation{}}
	for _, r := range in.Relations {
		if err := r.check(); err != nil {
			return relationsOutput{}, err
		}
		_, found, err := servlet.KV.Get(ctx, r.key())
		if err != nil {
			return relationsOutput{}, err
		}
		if found {
			continue
		}
		if err := servlet.KV.Set(ctx, r.key(), nil); err != nil {
			return relationsOutput{}, err
		}
		out.Relations = append(out.Relations, r)
	}
	return out, nil
}

type additions struct {
	Observations []addition `json:"observations"`
}

type addition struct {
	Name     string   `json:"entityName" description:"Name of an entity that is remembered"`
	Contents []string `json:"contents" description:"What to add, one fact each"`
}

type addedOutput struct {
	Results []addedTo `json:"results"`
}

type addedTo struct {
	Name  string   `json:"entityName"`
	Added []string `json:"addedObservations" description:"Those that are new"`
}

func addObservations(ctx context.Context, in additions) (addedOutput, error) {
	out := addedOutput{[]addedTo{}}
	for _, a := range in.Observations {
		k, found, err := remembered(ctx, a.Name)
		if err != nil {
			return addedOutput{}, err
		}
		if !found {
			return addedOutput{}, servlet.Errorf("no entity is named %.200q, so nothing was added: create it with create_entities, or find its name with search_nodes", a.Name)
		}
		fresh := added(k.Observations, a.Contents)
		k.Observations = append(k.Observations, fresh...)
		if len(fresh) > 0 {
			if err := remember(ctx, a.Name, k); err != nil {
				return addedOutput{}, err
			}
		}
		out.Results = append(out.Results, addedTo{a.Name, fresh})
	}
	return out, nil
}

type deletedOutput struct {
	Entities     int `json:"deletedEntities"`
	Observations int `json:"deletedObservations"`
	Relations    int `json:"deletedRelations"`
}

type namesInput struct {
	Names []string `json:"entityNames" description:"Names of the entities to forget"`
}

func deleteEntities(ctx context.Context, in namesInput) (out deletedOutput, err error) {
	for _, name := range in.Names {
		k, found, err := remembered(ctx, name)
		if err != nil {
			return deletedOutput{}, err
		}
		if !found {
			continue
		}
		if err := servlet.KV.Delete(ctx, entities+name); err != nil {
			return deletedOutput{}, err
		}
		out.Entities++
		out.Observations += len(k.Observations)
	}
	touching, err := allRelations(ctx, func(r relation) bool { return slices.Contains(in.Names, r.From) || slices.Contains(in.Names, r.To) })
	if err != nil {
		return deletedOutput{}, err
	}
	for _, r := range touching {
		if err := servlet.KV.Delete(ctx, r.key()); err != nil {
			return deletedOutput{}, err
		}
	}
	out.Relations = len(touching)
	return out, nil
}

type deletions struct {
	Deletions []deletion `json:"deletions"`
}

type deletion struct {
	Name         string   `json:"entityName"`
	Observations []string `json:"observations" description:"The facts to forget, word for word"`
}

func deleteObservations(ctx context.Context, in deletions) (out deletedOutput, err error) {
	for _, d := range in.Deletions {
		k, found, err := remembered(ctx, d.Name)
		if err != nil {
			return deletedOutput{}, err
		}
		before := len(k.Observations)
		k.Observations = slices.DeleteFunc(k.Observations, func(text string) bool { return slices.Contains(d.Observations, text) })
		if !found || len(k.Observations) == before {
			continue
		}
		if err := remember(ctx, d.Name, k); err != nil {
			return deletedOutput{}, err
		}
		out.Observations += before - len(k.Observations)
	}
	return out, nil
}

func deleteRelations(ctx context.Context, in relationsInput) (out deletedOutput, err error) {
	for _, r := range in.Relations {
		if r.check() != nil {
			continue // none like that was ever kept
		}
		_, found, err := servlet.KV.Get(ctx, r.key())
		if err != nil {
			return deletedOutput{}, err
		}
		if !found {
			continue
		}
		if err := servlet.KV.Delete(ctx, r.key()); err != nil {
			return deletedOutput{}, err
		}
		out.Relations++
	}
	return out, nil
}
