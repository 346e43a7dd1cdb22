import { HostError, McpServer, t } from "writ-servlet";

const server = new McpServer({ name: "pages", version: "1.0.0" });

server.registerTool("fetch", { inputSchema: t.object({ url: t.string(), headers: t.optional(t.record(t.string())) }) }, async ({ url, headers }) => {
  try {
    const answer = await fetch(url, { headers: headers ?? {} });
    return `${answer.status} ${answer.url} ${await answer.text()}`;
  } catch (e) {
    return `${(e as HostError).name} ${(e as HostError).code} ${(e as HostError).message}`;
  }
});
