import { McpServer } from "writ-servlet";
import { calls } from "./calls";
import { Check } from "./check";
import { blob, clone, digests, encoding } from "./data";
import { events, timers } from "./events";
import { http } from "./http";
import { json } from "./json";
import { language } from "./language";
import { search, url } from "./url";

const server = new McpServer();
const tests = { blob, calls, clone, digests, encoding, events, http, json, language, search, timers, url };

for (const [name, run] of Object.entries(tests)) {
  server.registerTool(name, { description: `Checks ${name}.` }, async () => {
    const check = new Check();
    await run(check);
    return { content: [{ type: "text", text: check.failures.join("\n") }], structuredContent: { count: check.count } };
  });
}
