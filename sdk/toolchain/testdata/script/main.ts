import { config, HostError, McpServer, t } from "writ-servlet";
import { exists, FileError, mkdir, readDir, readFile, readTextFile, remove, rename, stat, writeFile } from "writ-servlet/files";
import { crash } from "./deep/crash";

const server = new McpServer({ name: "script", version: "1.0.0" });
const url = "https://api.example.com/v1/";

server.registerTool("text", { description: "Answers a text.", inputSchema: t.object({ name: t.optional(t.string()) }) }, ({ name }) => `hello ${name ?? "world"}`);
server.registerTool("structured", { outputSchema: t.object({ n: t.number() }) }, async () => ({ n: 1 }));
server.registerTool("result", {}, () => ({ content: [{ type: "image", data: "AA==", mimeType: "image/png" }], isError: true }));
server.registerTool("nothing", {}, () => undefined as never);
server.registerTool("bare", { description: "As the official SDK has it" }, ({ signal, sendNotification }) => `${signal.aborted} ${typeof sendNotification}`);
server.registerTool("lone", {}, () => "a\ud800b");
server.registerTool("big", { inputSchema: t.object({ n: t.integer() }) }, ({ n }) => "x".repeat(n));

server.registerTool("fail", {}, () => { throw new Error("no such city"); });
server.registerTool("crash", {}, crash);
server.registerTool("reject", {}, async () => { await Promise.resolve(); crash(); return ""; });
server.registerTool("string", {}, () => { throw "just a text"; });
server.registerTool("object", {}, () => { throw {}; });
server.registerTool("timer", {}, () => new Promise<string>(() => setTimeout(crash, 1)));
server.registerTool("forever", {}, () => new Promise<string>(() => {}));
server.registerTool("unhandled", {}, async () => {
  void Promise.reject(new Error("nobody looked"));
  await new Promise((done) => setTimeout(done, 1));
  return "ok";
});
server.registerTool("spin", {}, () => { for (;;); });
server.registerTool("recurse", {}, () => {
  const recurse = (n: number): number => 1 + recurse(n + 1);
  return String(recurse(0));
});
server.registerTool("random", {}, () => `${Math.random()} ${crypto.randomUUID()}`);

let calls = 0;
server.registerTool("count", {}, () => `${++calls}`);

server.registerTool("config", {}, () => {
  const value = config("GREETING") ?? "";
  return `${value.length} ${value.startsWith("long")} ${config("OTHER")}`;
});
server.registerTool("log", {}, () => {
  console.debug("a", 1, { b: [2, new Map([["c", 3]])] });
  console.log("%s is %d", "x", "7");
  console.warn(new RangeError("far"));
  console.error(null, undefined, -0, 1n);
  return "ok";
});
server.registerTool("progress", {}, async (_, context) => {
  context.progress(1, 2, "half");
  await new Promise((done) => setTimeout(done, 120));
  await context.sendNotification({ method: "notifications/progress", params: { progress: 2, total: 2, message: "done" } });
  return "ok";
});

server.registerTool("fetch", { inputSchema: t.object({ url: t.string(), init: t.optional(t.any()) }) }, async (args) => {
  try {
    const response = await fetch(args.url, args.init);
    return `${response.status} ${response.headers.get("content-type")} ${response.url} ${await response.text()}`;
  } catch (error) {
    return `${(error as Error).name} ${(error as HostError).code} ${(error as Error).message}`;
  }
});
server.registerTool("together", {}, async () => {
  const all = await Promise.allSettled([..."01234567"].map((n) => fetch(url + n, { method: "POST", body: n })));
  return all.map((one) => (one.status === "fulfilled" ? `${one.value.status}` : `${one.reason.code}`)).join(" ");
});
server.registerTool("abort", {}, async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 5);
  const fast = fetch(url + "slow", { signal: controller.signal }).catch((error) => error.name);
  const slow = fetch(url + "slow", { signal: AbortSignal.timeout(10) }).catch((error) => error.name);
  return `${await fast} ${await slow} ${await fetch(url, { signal: AbortSignal.abort() }).catch((error) => error.name)}`;
});

server.registerTool("files", {}, () => {
  const code = (run: () => unknown) => { try { return run(); } catch (error) { return (error as FileError).code; } };
  mkdir("/docs/a/b", { recursive: true });
  writeFile("/docs/a/b/x.txt", "one\n", { exclusive: true });
  writeFile("/docs/a/b/x.txt", new Uint8Array([116, 119, 111]), { append: true });
  rename("/docs/a/b/x.txt", "/docs/a/./y.txt");
  writeFile("/docs/large", new Uint8Array(300_000).fill(7));
  const out = {
    text: readTextFile("/docs/a/y.txt"), large: readFile("/docs/large").length, sum: readFile("/docs/large").reduce((a, b) => a + b, 0),
    list: readDir("/docs").map((e) => `${e.name}${e.isDirectory ? "/" : ""}`), size: stat("/docs/a/y.txt").size, recent: Date.now() - +stat("/docs/a/y.txt").modified < 60_000,
    missing: exists("/docs/nope"), there: exists("/docs/a"), none: code(() => readFile("/docs/nope")), outside: code(() => readFile("/etc/passwd")), up: code(() => readFile("/docs/../etc/passwd")),
    again: code(() => writeFile("/docs/a/y.txt", "", { exclusive: true })), full: code(() => remove("/docs/a")), relative: code(() => readFile("x")), folder: code(() => readFile("/docs/a")),
  };
  remove("/docs/a", { recursive: true });
  remove("/docs/large");
  return { ...out, left: readDir("/docs").length };
});
