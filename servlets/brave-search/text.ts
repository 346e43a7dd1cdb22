// Texts of results, which come as HTML.

const named: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: "\"", apos: "'", nbsp: " " };

/** clean takes highlighting tags and character references out of a text, which stays on one line. */
export const clean = (html: string): string =>
  html.replace(/<\/?(strong|b|em|i|br|p)\s*\/?>/gi, "").replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{1,6}));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return named[name.toLowerCase()] ?? whole;
    const code = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code > 0 && code < 0x110000 ? String.fromCodePoint(code) : whole;
  }).replace(/\s+/g, " ").trim();

/** fields writes a line for each value that there is. */
export const fields = (values: Record<string, string | undefined>): string =>
  Object.entries(values).filter(([, value]) => value).map(([name, value]) => `${name}: ${value}`).join("\n");
