// Drives one MCP endpoint with the official TypeScript client. Reads one JSON object from standard
// input: {"target": {"url", "headers"} or {"command", "args", "env"}, "steps": [{"do": "list"} or
// {"do": "call", "tool", "arguments", "progress"}]}. Writes one JSON object:
// {"server", "steps": [{"result"} or {"error": {"code", "message"}}, with "progress"]}, or {"refused":
// {"code", "message"}} when it cannot connect.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

let input = "";
for await (const chunk of process.stdin) input += chunk;
const { target, steps } = JSON.parse(input);

const transport = target.url
  ? new StreamableHTTPClientTransport(new URL(target.url), { requestInit: { headers: target.headers ?? {} } })
  : new StdioClientTransport({
      command: target.command,
      args: target.args ?? [],
      env: { ...process.env, ...target.env },
      stderr: "inherit",
    });

const client = new Client({ name: "writ-tsclient", version: "1" });
const faults = [];
client.onerror = (error) => faults.push(String(error));
const fault = (error) => ({ code: error.code ?? 0, message: error.message });
try {
  await client.connect(transport);
} catch (error) {
  await new Promise((done) => process.stdout.write(JSON.stringify({ refused: fault(error) }), done));
  process.exit();
}

const output = { server: client.getServerVersion(), steps: [] };
for (const step of steps) {
  const done = {};
  try {
    if (step.do === "list") {
      done.result = await client.listTools();
    } else {
      const options = {};
      if (step.progress) {
        done.progress = [];
        options.onprogress = (report) => done.progress.push(report);
      }
      done.result = await client.callTool({ name: step.tool, arguments: step.arguments ?? {} }, undefined, options);
    }
  } catch (error) {
    done.error = fault(error);
  }
  output.steps.push(done);
}
await client.close();
output.faults = faults;
process.stdout.write(JSON.stringify(output));
