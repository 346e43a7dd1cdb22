// A tool that runs the JavaScript it is given, in the engine that it runs in itself. The sandbox around it
// has no network, no files and no settings, and every call starts in a new one.
import { McpServer, t, type ToolResult } from "writ-servlet";
import { capture, evaluate, idle } from "writ-servlet/eval";
import { Output } from "./output";
import { explain } from "./explain";

const server = new McpServer();

server.registerTool(
  "eval_js",
  {
    title: "Run JavaScript",
    // The names of the web are there because they are named here: the toolchain leaves out what nothing mentions.
    description:
      "Runs a JavaScript program and answers what it wrote to the console, then the value of its last expression (a promise is waited for). " +
      "Use it to compute, count, sort, convert or check instead of guessing. The language is ES2025 with await at the top level. Of the web there are console, setTimeout, " +
      "setInterval, clearTimeout, clearInterval, URL, URLSearchParams, TextEncoder, TextDecoder, structuredClone, atob, btoa, crypto (also crypto.subtle), Blob, AbortController, " +
      "AbortSignal, Event, EventTarget and performance. There is no network (fetch fails), no files, no import, no Node.js, no Intl. Nothing is kept between calls.",
    inputSchema: t.object({ code: t.string({ description: "The program", minLength: 1, maxLength: 200_000 }) }),
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  async ({ code }): Promise<ToolResult> => {
    const output = new Output();
    capture((_, text) => output.line(text));
    try {
      const value = await evaluate(code);
      await idle();
      return output.result(value);
    } catch (error) {
      return output.failure(explain(error));
    }
  },
);
