// Time is a servlet with the tools of a time server. It asks for no capability: the zones of the IANA
// database are part of it.
package main

import (
	_ "time/tzdata" // the sandbox has no zones of its own

	servlet "github.com/writ-run/writ/sdk/go"
)

func init() {
	servlet.AddTool(servlet.Tool{
		Name: "get_current_time", Title: "Current time", ReadOnly: true, ClosedWorld: true,
		Description: "Tells the date, the time and the day of the week in a time zone, and whether daylight saving time is on there.",
	}, currentTime)
	servlet.AddTool(servlet.Tool{
		Name: "convert_time", Title: "Convert time", ReadOnly: true, ClosedWorld: true,
		Description: "Converts a time of today from one time zone to another, and tells the difference between the two.",
	}, convertTime)
}

func main() {} // never runs: a servlet answers calls
