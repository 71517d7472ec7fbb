/** What a picture shows of a long list. */

/** The first ones and whatever is wanted, and those that are left out; one place is for saying how many. */
export function fold<Thing>(
  things: readonly Thing[],
  limit: number,
  isWanted: (thing: Thing) => boolean = () => false,
): { shown: readonly Thing[]; left: readonly Thing[] } {
  if (things.length <= limit) return { shown: things, left: [] };
  const others = things.filter((thing) => !isWanted(thing));
  const room = Math.max(0, limit - 1 - (things.length - others.length));
  const left = new Set(others.slice(room));
  return { shown: things.filter((thing) => !left.has(thing)), left: [...left] };
}
