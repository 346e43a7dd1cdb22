// What the compiler has to find. Nothing here runs.
import { config, McpServer, t, type Static } from "writ-servlet";
import { readTextFile } from "writ-servlet/files";

const server = new McpServer();
const city = t.object({ name: t.string(), people: t.optional(t.integer()), mood: t.enum(["happy", "sad"]), tags: t.array(t.string()) });
type City = Static<typeof city>;
export const one: City = { name: "Oslo", mood: "happy", tags: [] };

server.registerTool("inferred", { inputSchema: city, annotations: { readOnlyHint: true } }, ({ name, people, mood, tags }, context) => {
  context.progress(1, 2);
  const words: string[] = [name, mood, ...tags, config("UNITS") ?? "", readTextFile("/docs/x")];
  // @ts-expect-error people may be missing
  people.toFixed();
  // @ts-expect-error no such mood
  if (mood === "angry") return "";
  return words.join();
});
// @ts-expect-error no such property
server.registerTool("property", { inputSchema: city }, ({ nme }) => String(nme));
// @ts-expect-error a number is no result
server.registerTool("number", {}, () => 1);
// @ts-expect-error descriptions are texts
server.registerTool("description", { description: 1 }, () => "");
server.registerTool("bare", {}, (context, again) => `${context.signal.aborted} ${again.signal.aborted}`);
// @ts-expect-error there are no arguments
server.registerTool("bare", {}, ({ city }) => String(city));
