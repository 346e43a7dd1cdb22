// Spawn is the yardstick for a fresh call: what a fresh operating system process of the same tool
// costs, with no isolation of files or network. It reads one request and answers it.
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"
)

func main() {
	var req struct {
		Params struct {
			Arguments struct {
				Text string `json:"text"`
			} `json:"arguments"`
		} `json:"params"`
	}
	data, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = json.Unmarshal(data, &req)
	}
	if err != nil {
		log.Fatal(err)
	}
	type block struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string][]block{"content": {{"text", req.Params.Arguments.Text}}}); err != nil {
		log.Fatal(err)
	}
}
