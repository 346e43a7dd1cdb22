// Floor is the yardstick for protocol figures: the official SDK's server with one trivial tool in
// its own process, over stdio or HTTP, without any sandbox.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type input struct {
	Op   string `json:"op"`
	Nums []int  `json:"nums"`
	Text string `json:"text"`
}

// table is what a call looks one entry up in, as the servlets do.
var table = func() map[string]int {
	m := map[string]int{}
	for i := range 2000 {
		m[fmt.Sprintf("key-%04d", i)] = i
	}
	return m
}()

func work(in input) string {
	total := 0
	for _, n := range in.Nums {
		total += n
	}
	entry, ok := table[in.Text[:min(8, len(in.Text))]]
	if !ok {
		entry = -1
	}
	return fmt.Sprintf("sum %d, entry %d: %s", total, entry, in.Text)
}

func main() {
	listen := flag.String("listen", "", "loopback address to serve HTTP on; empty: stdio")
	flag.Parse()
	server := mcp.NewServer(&mcp.Implementation{Name: "floor", Version: "1"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "go0_work", Description: "Adds numbers"},
		func(_ context.Context, _ *mcp.CallToolRequest, in input) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: work(in)}}}, nil, nil
		})
	if *listen == "" {
		if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
			log.Fatal(err)
		}
		return
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s/mcp\n", l.Addr())
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true})
	log.Fatal(http.Serve(l, handler))
}
