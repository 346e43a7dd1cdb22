package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
)

// maxArguments is the most that `writ call` reads as arguments, in bytes.
const maxArguments = 4 << 20

func (a *app) callVerb() *cobra.Command {
	var logs bool
	cmd := &cobra.Command{
		Use: "call TOOL [JSON|@FILE|-]", Args: takes,
		Short: "Call one tool and print its answer",
		Long: `Call one tool and print its answer: text as it is, with --json the whole MCP
result.

Exit status: 0 answered; 1 the tool answered with an error; 2 no such tool or
unusable arguments; 3 not granted or not ready; 4 the host failed.`,
		Example: `  writ call filesystem_list_directory '{"path":"/docs"}'
  writ call filesystem_read_text_file @arguments.json --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			arguments, err := a.arguments(args[1:])
			if err != nil {
				return err
			}
			return a.withHost(cmd.Context(), func(_ *registry.Registry, h *host.Host) error {
				answer, err := h.CallTool(cmd.Context(), a.caller(), host.Request{Tool: args[0], Arguments: arguments})
				if err != nil {
					return err
				}
				if logs {
					for _, l := range answer.Logs {
						a.say("log: %s", capabilities.Printable(l.Text, maxErrorRunes))
					}
				}
				return a.printAnswer(answer)
			})
		},
	}
	cmd.Flags().BoolVar(&logs, "logs", false, "print what the servlet logged, to standard error")
	return cmd
}

// arguments reads the tool's arguments from the command line, a file or standard input.
func (a *app) arguments(args []string) (json.RawMessage, error) {
	if len(args) == 0 {
		return json.RawMessage("{}"), nil
	}
	var data []byte
	var err error
	where := "the arguments"
	switch path, isFile := strings.CutPrefix(args[0], "@"); {
	case args[0] == "-":
		where = "standard input"
		data, err = io.ReadAll(io.LimitReader(a.stdin, maxArguments+1))
	case isFile:
		where = path
		data, err = readLimited(path, maxArguments)
	default:
		data = []byte(args[0])
	}
	if err != nil {
		return nil, usagef("reading arguments: %v", err)
	}
	if len(data) > maxArguments {
		return nil, usagef("reading arguments: %s: more than %d bytes", where, maxArguments)
	}
	compact, err := strictjson.Compact(data)
	if err != nil {
		return nil, usagef("%s: %v: write an object like '{\"path\":\"/docs\"}'", where, err)
	}
	if compact[0] != '{' {
		return nil, usagef("%s: a tool's arguments are a JSON object like '{\"path\":\"/docs\"}'", where)
	}
	return compact, nil
}

// readLimited reads a regular file of at most limit+1 bytes: a pipe or a device could hold the command
// for ever.
func readLimited(path string, limit int64) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// printAnswer prints the result and turns its status into this run's.
func (a *app) printAnswer(answer host.Answer) error {
	if a.json {
		if err := a.printJSON(answer.Result); err != nil {
			return err
		}
	} else if answer.Status == host.StatusOK || answer.Status == host.StatusTool {
		if err := a.printResult(answer); err != nil {
			return err
		}
	} else {
		a.say("writ: %s", resultText(answer.Result))
	}
	switch answer.Status {
	case host.StatusOK:
		return nil
	case host.StatusTool:
		return silent(exitTool)
	case host.StatusDenied:
		return silent(exitDenied)
	default:
		return silent(exitHost)
	}
}

// printResult prints the text of a result; an error's text goes to standard error.
func (a *app) printResult(answer host.Answer) error {
	w := a.stdout
	if answer.Status == host.StatusTool {
		w = a.stderr
	}
	_, err := fmt.Fprintln(w, strings.TrimSuffix(resultText(answer.Result), "\n"))
	return err
}

// resultText is what a person reads of a result: its text blocks escaped for a terminal, a note for
// each other block.
func resultText(result json.RawMessage) string {
	var r struct {
		Content []struct {
			Type     string `json:"type"`
			Text     string `json:"text"`
			MIMEType string `json:"mimeType"`
			URI      string `json:"uri"`
			Data     string `json:"data"`
		} `json:"content"`
	}
	if err := json.Unmarshal(result, &r); err != nil {
		return "the result is not an MCP result"
	}
	var lines []string
	for _, c := range r.Content {
		switch c.Type {
		case "text":
			lines = append(lines, printableLines(c.Text))
		case "resource_link":
			lines = append(lines, "[link "+capabilities.Printable(c.URI, maxCell)+"]")
		default:
			lines = append(lines, fmt.Sprintf("[%s %s, %d bytes of base64: see --json]", capabilities.Printable(c.Type, 20), capabilities.Printable(c.MIMEType, 60), len(c.Data)))
		}
	}
	return strings.Join(lines, "\n")
}

// printableLines escapes text line by line, keeping newlines and tabs.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		cells := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
		for j, c := range cells {
			cells[j] = capabilities.Printable(c, len(c)+1)
		}
		lines[i] = strings.Join(cells, "\t")
	}
	return strings.Join(lines, "\n")
}
