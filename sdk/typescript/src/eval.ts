// Running code that a servlet is given, in the engine that the servlet itself runs in: there it can do what
// the servlet can, and no more. What it changes is gone after the call.
import { native } from "./host";

export { capture, format, inspect } from "./console";
export { idle } from "./loop";

/** evaluate runs a script, which may wait at its top level, and gives the value of its last expression. */
export async function evaluate(code: string, name = "<code>"): Promise<unknown> {
  return (await native.evaluate(String(code), String(name))).value;
}
