// Memory is a servlet that remembers a graph for its caller: entities with observations, and relations
// between them. It asks for one capability, kv.
package main

import servlet "github.com/writ-run/writ/sdk/go"

func init() {
	servlet.AddTool(servlet.Tool{
		Name: "create_entities", Title: "Create entities", Additive: true, Idempotent: true, ClosedWorld: true,
		Description: "Remembers new entities: people, places, projects, anything with a name. One that is there already is left as it is; add_observations adds to it. Answers with those that are new.",
	}, createEntities)
	servlet.AddTool(servlet.Tool{
		Name: "create_relations", Title: "Create relations", Additive: true, Idempotent: true, ClosedWorld: true,
		Description: "Remembers how entities belong together, in active voice: from \"Ana\" to \"Acme\" by \"works at\". Answers with those that are new.",
	}, createRelations)
	servlet.AddTool(servlet.Tool{
		Name: "add_observations", Title: "Add observations", Additive: true, Idempotent: true, ClosedWorld: true,
		Description: "Adds facts to entities that are remembered, one sentence each. Answers with those that are new. An entity that is not there is an error: create it first.",
	}, addObservations)
	servlet.AddTool(servlet.Tool{
		Name: "delete_entities", Title: "Delete entities", Idempotent: true, ClosedWorld: true,
		Description: "Forgets entities, what was observed of them, and every relation from or to them.",
	}, deleteEntities)
	servlet.AddTool(servlet.Tool{
		Name: "delete_observations", Title: "Delete observations", Idempotent: true, ClosedWorld: true,
		Description: "Forgets facts of entities. They have to be given word for word.",
	}, deleteObservations)
	servlet.AddTool(servlet.Tool{
		Name: "delete_relations", Title: "Delete relations", Idempotent: true, ClosedWorld: true,
		Description: "Forgets relations.",
	}, deleteRelations)
	servlet.AddTool(servlet.Tool{
		Name: "read_graph", Title: "Read everything", ReadOnly: true, ClosedWorld: true,
		Description: "Tells everything that is remembered. For a part of it use search_nodes or open_nodes.",
	}, readGraph)
	servlet.AddTool(servlet.Tool{
		Name: "search_nodes", Title: "Search", ReadOnly: true, ClosedWorld: true,
		Description: "Finds entities that have all words of a query in their name, their type or an observation, whatever their case, and the relations from and to them.",
	}, searchNodes)
	servlet.AddTool(servlet.Tool{
		Name: "open_nodes", Title: "Open entities", ReadOnly: true, ClosedWorld: true,
		Description: "Tells what is remembered of entities, by their exact names, and the relations from and to them. Names that are not there are left out.",
	}, openNodes)
}

func main() {} // never runs: a servlet answers calls
