// The line of the mistake is what the tests look for.
interface City {
  name: string;
}

export function crash(): string {
  const cities: City[] = [];
  return cities[7]!.name;
}
