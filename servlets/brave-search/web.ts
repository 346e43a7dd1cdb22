// brave_web_search.
import { ask } from "./api";
import { clean, fields } from "./text";

interface Page { title?: string; url?: string; description?: string; age?: string }

/** Answer is what /res/v1/web/search answers, as far as it is used. */
export interface Answer {
  web?: { results?: Page[] };
  locations?: { results?: { id?: string }[] };
}

export interface Search { query: string; count?: number; offset?: number; freshness?: string; country?: string }

export async function webSearch({ query, count = 10, offset = 0, freshness, country }: Search): Promise<string> {
  const asked = new URLSearchParams({ q: words(query), count: String(count), offset: String(offset), text_decorations: "false" });
  if (freshness !== undefined) asked.set("freshness", freshness);
  if (country !== undefined) asked.set("country", country);
  const { web } = await ask<Answer>("/res/v1/web/search", asked);
  const pages = (web?.results ?? []).slice(0, count);
  if (!pages.length) return offset > 0 ? `No more results for "${query}".` : `No results for "${query}". Try other or fewer words.`;
  return pages.map(shown).join("\n\n");
}

const shown = ({ title = "", description = "", url = "", age }: Page): string =>
  fields({ Title: clean(title), Description: clean(description), Age: age, URL: url });

/** words refuses what the API would refuse. */
export function words(query: string): string {
  const text = query.trim();
  if (!text) throw new Error("the query is empty: write what to search for");
  const count = text.split(/\s+/).length;
  if (count > 50) throw new Error(`the query has ${count} words, and Brave Search takes 50: write fewer`);
  return text;
}
