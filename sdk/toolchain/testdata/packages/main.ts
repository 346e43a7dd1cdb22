import { toStandardJsonSchema } from "@valibot/to-json-schema";
import * as cheerio from "cheerio";
import { addMonths, format } from "date-fns";
// @ts-expect-error it has no types of its own
import semver from "semver";
import * as v from "valibot";
import { McpServer, t } from "writ-servlet";
import { parse, stringify } from "yaml";
import * as z from "zod";

const server = new McpServer({ name: "packages", version: "1.0.0" });

server.registerTool("zod", { inputSchema: z.object({ n: z.number().int().default(3), at: z.string().transform((s) => new Date(s)) }) }, ({ n, at }) => `${n} ${at.getTime()}`);
server.registerTool("shape", { inputSchema: { n: z.number().min(2), s: z.string().optional() } }, ({ n, s }) => `${n} ${s}`);
server.registerTool("valibot", { inputSchema: toStandardJsonSchema(v.object({ n: v.pipe(v.number(), v.minValue(2)) })), outputSchema: t.object({ n: t.number() }) }, async ({ n }) => ({ n }));
server.registerTool("date_fns", {}, () => format(addMonths(new Date(Date.UTC(2026, 0, 31)), 1), "yyyy-MM-dd EEEE"));
server.registerTool("yaml", {}, () => stringify(parse("a: [1, 2]\nb: {c: !!str 3}\n")));
server.registerTool("semver", {}, () => String(semver.satisfies("1.2.3", "^1.1.0") && !semver.gt("1.2.3", "1.10.0")));
server.registerTool("cheerio", {}, () => cheerio.load("<ul><li>a<li class=b>ä&amp;</ul>")("li.b").text());
