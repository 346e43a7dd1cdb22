// What servlet.toml requests. The toolchain puts a servlet's own in place of this module.

/** One site that fetch may reach. */
export interface Site { id: string; origin: string; methods: string[]; paths: string[] }

export const http: Site[] = [];
