/** `kind/name`, the way things are named everywhere; a name that says no more than its kind is left out: `igw`. */

interface Named {
  readonly reference: string;
  readonly kind: string;
}

export function renderReference(kind: string, name: string): string {
  return kind === name ? kind : `${kind}/${name}`;
}

/** `pod/web`; `pod/default/web` for it; `igw` or `igw/igw`; a kind alone where there is one of it. */
export function findByReference<Thing extends Named>(
  things: readonly Thing[],
  word: string,
): Thing | undefined {
  const exact = (reference: string): Thing | undefined =>
    things.find((thing) => thing.reference === reference);
  const found = exact(word);
  if (found !== undefined) return found;
  const [kind = '', ...rest] = word.split('/');
  if (rest.length === 0) {
    const sameKind = things.filter((thing) => thing.kind === kind);
    return sameKind.length === 1 ? sameKind[0] : undefined;
  }
  if (rest.length === 1 && rest[0] === kind) return exact(kind);
  return kind === 'pod' && rest[0] === 'default'
    ? exact(`pod/${rest.slice(1).join('/')}`)
    : undefined;
}
