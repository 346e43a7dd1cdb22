// Requests to the API of Brave Search, and what its errors mean for whoever asked.

/** Milliseconds of waiting for one's turn that a request is worth. Plans differ by the requests in a second. */
const patience = 3_000;

const attempts = 4;

/** ask makes one request, again when the plan's limit for a second was reached. */
export async function ask<T>(path: string, query: URLSearchParams): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(`${path}?${query}`, { capability: "brave", headers: { Accept: "application/json" } });
    if (response.ok) return read<T>(response);
    const wait = response.status === 429 ? untilReset(response.headers) : undefined;
    if (wait === undefined || wait > patience || attempt === attempts) throw await failure(response, wait);
    await new Promise((done) => setTimeout(done, wait));
  }
}

async function read<T>(response: Response): Promise<T> {
  const text = await response.text();
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Error(`Brave Search answered something that is no JSON: ${text.slice(0, 80)}`);
  }
}

/**
 * untilReset is the time until all limits of the plan allow a request again, in milliseconds. The headers
 * have a number for each limit, such as "0, 1200" left and "1, 86400" seconds to go.
 */
function untilReset(headers: Headers): number {
  const numbers = (name: string) => (headers.get(name) ?? "").split(",").map((text) => Number.parseInt(text, 10));
  const left = numbers("X-RateLimit-Remaining");
  const seconds = numbers("X-RateLimit-Reset").filter((n, i) => n >= 0 && !((left[i] ?? 0) > 0));
  return Math.max(1, ...seconds) * 1000;
}

interface Failure { error?: { code?: string; detail?: string } }

async function failure(response: Response, wait: number | undefined): Promise<Error> {
  const body: Failure = await response.json().catch(() => ({}));
  const { code = "", detail = "" } = body.error ?? {};
  const said = [`${response.status}`, code, detail].filter(Boolean).join(" ").slice(0, 300);
  if (wait !== undefined) {
    return new Error(`Brave Search takes no more requests on this key's plan now (${said}). Try again in ${duration(wait)}.`);
  }
  if (response.status === 401 || response.status === 403 || code === "SUBSCRIPTION_TOKEN_INVALID") {
    return new Error(`Brave Search does not accept the API key (${said}). The operator can set another one: writ secret set brave-search BRAVE_API_KEY`);
  }
  if (code === "OPTION_NOT_IN_PLAN") return new Error(`The plan of the API key does not have this kind of search (${said}).`);
  return new Error(`Brave Search answered ${said || "an error"}.`);
}

function duration(millis: number): string {
  const seconds = Math.ceil(millis / 1000);
  return seconds < 120 ? `${seconds} s` : seconds < 7200 ? `${Math.ceil(seconds / 60)} minutes` : `${Math.ceil(seconds / 3600)} hours`;
}
