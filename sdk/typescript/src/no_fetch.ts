// fetch of a servlet that requests no site: there is nothing that it could reach.
import { HostError, live } from "./host";

export async function fetch(): Promise<never> {
  live("fetch");
  throw new HostError("denied", "fetch needs a capability: servlet.toml has no [[capabilities.http]]");
}
