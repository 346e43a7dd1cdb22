// Package resources is group B of the attack table: servlets that try to take more time, memory,
// stack, files or attention than they were granted. Each attack is carried out on a real host in a
// process of its own, while another caller calls a cheap tool and a second client pings. It is stopped
// when each hostile call ends in exactly the refusal that its row demands, nothing is left of it, and
// the others did not feel it.
package resources

import "github.com/writ-run/writ/testdata/hostile/attack"

// Rows are the attacks of group B. All are slow: each starts hosts of its own.
func Rows() []attack.Row {
	row := func(id, title string, trials func(*bench) ([]trial, error), mutants ...string) attack.Row {
		return attack.Row{ID: id, Title: title, Mutants: mutants, Run: carryOut(trials), Slow: true}
	}
	return []attack.Row{
		row("B18", "an exponential tree of calls, without a loop", (*bench).trees, "meter-entry"),
		row("B19", "straight lines of bulk operations", (*bench).chains, "meter-fill", "meter-copy"),
		row("B20", "endless loops, wherever guest code runs", (*bench).loops, "meter-loop", "meter-refuel"),
		row("B22", "memory: too large to start, grown and touched by 32 calls at a time", (*bench).memories, "memory-own", "memory-minimum", "turns-caller-memory"),
		row("B23", "tables and function references", (*bench).tables, "gate-table-maximum"),
		row("B24", "endless recursion in 32 calls at a time", (*bench).recursions, "stack-limit", "stack-counted"),
		row("B25", "cheap host calls without end", (*bench).manyCalls, "host-call-budget"),
		row("B26", "arguments of a gigabyte", (*bench).arguments, "pointer-iovecs", "log-looked", "output-bytes"),
		row("B27", "sleeping for an hour", (*bench).sleeps, "sleep-deadline", "wait-deadline"),
		twice(row("B28", "opening what is no file", (*bench).specials), "it is looked at before it is opened, and what was opened again: either is enough"),
		twice(row("B29", "opening until it fails, closing nothing", (*bench).descriptors), "the sandbox and the guard count the same descriptors: either is enough"),
		row("B30", "filling the disk", (*bench).disks, "file-written", "file-size"),
		row("B31", "results and logs beyond all measure", (*bench).results, "output-bytes", "result-depth", "result-values", "result-blocks", "log-kept", "log-told"),
		row("B32", "a client that sends thousands of calls, and one that never reads", (*bench).clients, "messages-in", "answers-out"),
		{ID: "B33", Title: "schemas that cost more than they weigh", Run: schemas, Mutants: []string{"schema-doubled", "schema-circle"}},
		row("B34", "a deadline after a request has left", (*bench).unanswered, "http-unknown"),
	}
}

// twice is a row of a rule that two rooms enforce.
func twice(row attack.Row, reason string) attack.Row {
	row.Unmutated = reason
	return row
}
