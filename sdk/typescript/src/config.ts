// config: the settings that servlet.toml declares.
import { failure, Kind, native, needs, notFound } from "./host";

/** The operator's value of a key, or the default; undefined when there is none for the running tool. */
export function config(key: string): string | undefined {
  needs("config", Kind.config, "[[capabilities.config]]");
  const value = native.config(String(key));
  if (typeof value === "string") return value;
  if (value === notFound) return undefined;
  throw failure(value, `config ${key}`);
}
