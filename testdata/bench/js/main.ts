// The benchmarks' servlet in TypeScript: the same work as in go/main.go.
import { McpServer, t } from "writ-servlet";

// What a call looks one entry up in.
const table = new Map<string, number>();
for (let i = 0; i < 2000; i++) table.set(`key-${String(i).padStart(4, "0")}`, i);

const server = new McpServer({ name: "js", version: "1.0.0" });

server.registerTool("work", {
  description: "Adds numbers",
  inputSchema: t.object({ op: t.string(), nums: t.optional(t.array(t.integer())), text: t.optional(t.string()) }),
  annotations: { readOnlyHint: true, openWorldHint: false },
}, ({ op, nums = [], text = "" }) => {
  if (op === "alloc") allocate();
  else if (op !== "sum") throw new Error(`no such op: ${op}`);
  const total = nums.reduce((sum: number, n: number) => sum + n, 0);
  return `sum ${total}, entry ${table.get(text.slice(0, 8)) ?? -1}: ${text}`;
});

// allocate makes objects that all live at the same time.
function allocate() {
  const all = [];
  for (let i = 0; i < 2_000; i++) all.push({ i, next: all[i - 1] });
  if (all[1999].next.i !== 1998) throw new Error("an object was lost");
}
