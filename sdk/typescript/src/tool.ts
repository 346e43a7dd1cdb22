// A tool as it is registered.
import type { Context } from "./context";
import type { Checked } from "./standard";

export interface Tool {
  name: string;
  definition: Record<string, unknown>;
  input: Checked;
  /** It was registered without an input schema: as in the official SDK, its function is given the context first. */
  bare: boolean;
  run: (args: any, context: Context) => unknown;
}
