// Drives MCP endpoints with the official TypeScript client. Reads a JSON list from standard input:
// {"target": {"url", "headers"} or {"command", "args", "env"}, "steps": [{"do": "list"} or {"do": "call",
// "tool", "arguments", "progress"}]}. Writes a list of {"server", "faults", "steps": [{"result"} or
// {"error": {"code", "message"}}, with "progress"]}, or {"refused": {"code", "message"}} where it cannot
// connect.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const fault = (error) => ({ code: error.code ?? 0, message: error.message });

const transport = (target) =>
  target.url
    ? new StreamableHTTPClientTransport(new URL(target.url), { requestInit: { headers: target.headers ?? {} } })
    : new StdioClientTransport({
        command: target.command,
        args: target.args ?? [],
        env: { ...process.env, ...target.env },
        stderr: "inherit",
      });

async function make(client, step) {
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
  return done;
}

async function drive({ target, steps }) {
  const client = new Client({ name: "writ-tsclient", version: "1" });
  const faults = [];
  client.onerror = (error) => faults.push(String(error));
  try {
    await client.connect(transport(target));
  } catch (error) {
    return { refused: fault(error) };
  }
  const output = { server: client.getServerVersion(), steps: [] };
  for (const step of steps ?? []) output.steps.push(await make(client, step));
  output.faults = [...faults]; // before it closes, which breaks off its streams
  await client.close();
  return output;
}

let input = "";
for await (const chunk of process.stdin) input += chunk;
const outputs = [];
for (const job of JSON.parse(input)) outputs.push(await drive(job));
process.stdout.write(JSON.stringify(outputs));
