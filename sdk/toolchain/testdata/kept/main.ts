import { HostError, kv, McpServer } from "writ-servlet";

const server = new McpServer();

server.registerTool("keep", {}, () => {
  const code = (run: () => unknown) => { try { return run(); } catch (error) { return (error as HostError).code; } };
  kv.set("text", "\ufeffä€😀");
  kv.set("bytes", new Uint8Array([0, 255, 128]).subarray(1));
  kv.set("empty", "");
  for (let i = 0; i < 5; i++) kv.set(`n/${i}`, String(i).repeat(i));
  kv.delete("n/3");
  kv.delete("n/3");
  return {
    text: kv.get("text") === "\ufeffä€😀", bytes: [...kv.getBytes("bytes")!], empty: kv.get("empty"), missing: [kv.get("nope"), kv.getBytes("nope")].map(String),
    keys: kv.keys(), some: kv.keys("n/"), entries: kv.entries("n/"), none: kv.entries("z"), long: code(() => kv.set("x".repeat(600), "")), odd: code(() => kv.get("\ud800")),
    large: code(() => kv.set("large", new Uint8Array(2 ** 20 + 1))), ops: kv.keys("n").length,
  };
});
