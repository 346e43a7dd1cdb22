// The TypeScript side of the transcripts: each tool uses one feature of the SDK.
import { config, HostError, kv, McpServer, t } from "writ-servlet";
import { mkdir, readDir, readTextFile, remove, rename, writeFile } from "writ-servlet/files";

const server = new McpServer();
const description = "For tests";
const quiet = { readOnlyHint: true, openWorldHint: false };

server.registerTool(
  "greet",
  {
    title: "Greet",
    description: "Greets somebody",
    inputSchema: t.object({
      name: t.string({ description: "Whom to greet" }),
      loud: t.optional(t.boolean({ description: "Shout" })),
    }),
    annotations: quiet,
  },
  ({ name, loud }) => {
    const text = `Hello, ${name}`;
    return loud ? text.toUpperCase() : text;
  },
);

server.registerTool(
  "sum",
  {
    description: "Adds numbers",
    inputSchema: t.object({ numbers: t.array(t.number()) }),
    outputSchema: t.object({ sum: t.number(), count: t.integer() }),
    annotations: quiet,
  },
  ({ numbers }) => ({ sum: numbers.reduce((sum, n) => sum + n, 0), count: numbers.length }),
);

server.registerTool("picture", { description }, () => ({
  content: [{ type: "text", text: "a dot" }, { type: "image", mimeType: "image/png", data: btoa("\u0001\u0002\u0003") }],
}));

server.registerTool("refuse", { description }, () => {
  throw new Error("no file notes.txt: list the folder first");
});

server.registerTool("stop", { description }, () => {
  throw new TypeError("a mistake in the program");
});

server.registerTool("count", { description }, (_, context) => {
  context.progress(1, 4, "one of four");
  return "counted";
});

server.registerTool("endless", { description }, async (_, context) => {
  context.progress(0, 0, "begun");
  await new Promise((resolve) => setTimeout(resolve, 3_600_000));
  return "never";
});

server.registerTool("note", { description }, () => {
  console.debug("looked");
  console.info("found");
  console.warn("two of them");
  console.error("took none");
  return "noted";
});

server.registerTool("setting", { description, inputSchema: t.object({ key: t.string() }) }, ({ key }) => config(key) ?? "unset");

server.registerTool("post", { description, inputSchema: t.object({ item: t.string() }) }, async ({ item }) => {
  const r = await fetch("https://api.example.com/v1/items?dry=1", { method: "POST", headers: { "x-trace": "7" }, body: JSON.stringify({ item }) });
  return `${r.status} ${(await r.json()).id}`;
});

server.registerTool("status", { description, inputSchema: t.object({ path: t.string() }) }, async ({ path }) => {
  const r = await fetch(path, { capability: "api" });
  return `${r.status} ${r.headers.get("Content-Type")} ${await r.text()}`;
});

server.registerTool("both", { description }, async () => {
  const bodies = ["/v1/a", "/v1/b"].map(async (path) => await (await fetch(path, { capability: "api" })).text());
  return (await Promise.all(bodies)).join(" and ");
});

server.registerTool("closed", { description }, async () => {
  try {
    await fetch("/v1/secret", { capability: "api" });
  } catch (error) {
    if (error instanceof HostError) return error.code;
    throw error;
  }
  return "open";
});

server.registerTool("page", { description, inputSchema: t.object({ url: t.string() }) }, async ({ url }) => {
  const r = await fetch(url);
  return `${r.url} ${r.status} ${await r.text()}`;
});

server.registerTool("tidy", { description }, () => {
  const text = readTextFile("/docs/draft.txt");
  mkdir("/docs/done");
  writeFile("/docs/done/new.txt", text.toUpperCase());
  rename("/docs/done/new.txt", "/docs/done/draft.txt");
  remove("/docs/draft.txt");
  return readDir("/docs").map((entry) => entry.name).join(" ");
});

server.registerTool("keep", { description, inputSchema: t.object({ key: t.string(), value: t.string() }) }, ({ key, value }) => {
  const old = kv.get(key) ?? "nothing";
  kv.set(key, value);
  kv.delete("note/old");
  return [old, ...kv.keys("note/")].join(" ");
});

server.registerTool("dice", { description }, () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
);

server.registerTool("nap", { description }, async () => {
  const began = Date.now();
  await new Promise((resolve) => setTimeout(resolve, 20));
  return String(Date.now() - began >= 19);
});
