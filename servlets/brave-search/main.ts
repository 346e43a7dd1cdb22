// The two tools of a Brave Search server, as models know them.
import { McpServer, t } from "writ-servlet";
import { localSearch } from "./local";
import { webSearch } from "./web";

const server = new McpServer();

const query = t.string({ description: "What to search for, at most 400 characters and 50 words", minLength: 1, maxLength: 400 });
const annotations = { readOnlyHint: true, openWorldHint: true };

server.registerTool(
  "brave_web_search",
  {
    title: "Brave Web Search",
    description:
      "Searches the web with Brave Search: pages, news, articles, recent events. Use it for what is not in your own knowledge or may have changed. " +
      "Answers up to 20 results with title, description and address; offset gives the next ones.",
    inputSchema: t.object({
      query,
      count: t.optional(t.integer({ description: "Results to return (1 to 20, default 10)", minimum: 1, maximum: 20, default: 10 })),
      offset: t.optional(t.integer({ description: "Pages of results to skip (0 to 9, default 0)", minimum: 0, maximum: 9, default: 0 })),
      freshness: t.optional(t.string({ description: "Only pages of the last day (pd), week (pw), month (pm) or year (py), or of a range such as 2026-01-01to2026-03-31", pattern: "^(p[dwmy]|\\d{4}-\\d{2}-\\d{2}to\\d{4}-\\d{2}-\\d{2})$" })),
      country: t.optional(t.string({ description: "Two letters of the country that results are for, such as DE", pattern: "^[A-Z]{2}$" })),
    }),
    annotations,
  },
  webSearch,
);

server.registerTool(
  "brave_local_search",
  {
    title: "Brave Local Search",
    description:
      "Searches businesses and places with Brave Search: restaurants, shops, services near somewhere. Say in the query where, as in \"pizza near Central Park\". " +
      "Answers names, addresses, phone numbers, opening hours, ratings and descriptions. When no place is found it searches the web instead.",
    inputSchema: t.object({
      query,
      count: t.optional(t.integer({ description: "Results to return (1 to 20, default 5)", minimum: 1, maximum: 20, default: 5 })),
    }),
    annotations,
  },
  localSearch,
);
