// brave_local_search: ids of places come from a web search, and what is known of them from two more requests.
import { ask } from "./api";
import { clean, fields } from "./text";
import { type Answer, type Search, webSearch, words } from "./web";

interface Hours { full_name?: string; abbr_name?: string; opens?: string; closes?: string }

/** Place is one of /res/v1/local/pois, as far as it is used. */
interface Place {
  id?: string;
  title?: string;
  url?: string;
  postal_address?: { displayAddress?: string; streetAddress?: string; addressLocality?: string; addressRegion?: string; postalCode?: string; country?: string };
  contact?: { telephone?: string; email?: string };
  rating?: { ratingValue?: number; bestRating?: number; reviewCount?: number };
  price_range?: string;
  opening_hours?: { days?: Hours[][] };
  categories?: string[];
}

export async function localSearch({ query, count = 5 }: Search): Promise<string> {
  const asked = new URLSearchParams({ q: words(query), count: String(count), search_lang: "en", result_filter: "locations" });
  const { locations } = await ask<Answer>("/res/v1/web/search", asked);
  const ids = (locations?.results ?? []).flatMap(({ id }) => (id ? [id] : [])).slice(0, count);
  if (!ids.length) return `No places were found, so this is from the web.\n\n${await webSearch({ query, count })}`;
  const wanted = new URLSearchParams(ids.map((id) => ["ids", id] as const));
  const [places, texts] = await Promise.all([
    ask<{ results?: Place[] }>("/res/v1/local/pois", wanted),
    ask<{ results?: { id?: string; description?: string }[] }>("/res/v1/local/descriptions", wanted).catch(() => ({ results: [] })), // not every plan has them
  ]);
  const descriptions = new Map((texts.results ?? []).map(({ id, description }) => [id, description]));
  return (places.results ?? []).map((place) => shown(place, descriptions.get(place.id))).join("\n---\n") || `Nothing is known of the places that were found for "${query}".`;
}

function shown(place: Place, description: string | undefined): string {
  const { postal_address: address = {}, rating = {}, contact = {} } = place;
  const { displayAddress, streetAddress, addressLocality, addressRegion, postalCode, country } = address;
  const votes = rating.reviewCount === undefined ? "" : ` (${rating.reviewCount} reviews)`;
  return fields({
    Name: clean(place.title ?? ""),
    Address: displayAddress || [streetAddress, addressLocality, addressRegion, postalCode, country].filter(Boolean).join(", ") || "N/A",
    Phone: contact.telephone || "N/A",
    Rating: rating.ratingValue === undefined ? "N/A" : `${rating.ratingValue}${rating.bestRating ? ` of ${rating.bestRating}` : ""}${votes}`,
    "Price Range": place.price_range || "N/A",
    Hours: hours(place.opening_hours?.days ?? []) || "N/A",
    Categories: place.categories?.join(", "),
    URL: place.url,
    Description: clean(description ?? "") || "No description available",
  });
}

const hours = (days: Hours[][]): string => days.flat().map(({ abbr_name, full_name, opens, closes }) => `${abbr_name ?? full_name ?? ""} ${opens ?? "?"}-${closes ?? "?"}`.trim()).join(", ");
