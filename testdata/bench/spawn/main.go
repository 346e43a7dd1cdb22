// Spawn is the yardstick for a fresh call: what a fresh operating system process of the same tool
// costs, with no isolation of files or network. It reads one request and answers it.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
)

type request struct {
	Params struct {
		Arguments struct {
			Nums []int  `json:"nums"`
			Text string `json:"text"`
		} `json:"arguments"`
	} `json:"params"`
}

type block struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

func main() {
	table := map[string]int{}
	for i := range 2000 {
		table[fmt.Sprintf("key-%04d", i)] = i
	}
	var req request
	data, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = json.Unmarshal(data, &req)
	}
	if err != nil {
		log.Fatal(err)
	}
	in, total := req.Params.Arguments, 0
	for _, n := range in.Nums {
		total += n
	}
	entry, ok := table[in.Text[:min(8, len(in.Text))]]
	if !ok {
		entry = -1
	}
	text := fmt.Sprintf("sum %d, entry %d: %s", total, entry, in.Text)
	if err := json.NewEncoder(os.Stdout).Encode(map[string][]block{"content": {{"text", text}}}); err != nil {
		log.Fatal(err)
	}
}
