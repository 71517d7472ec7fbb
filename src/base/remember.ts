/** So many answers are kept: more than a lab has names or addresses, and no more memory than a picture takes. */
const REMEMBERED = 50_000;

/** The same function, which computes each answer once. */
export function remembering<Key, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  const known = new Map<Key, Value>();
  return (key) => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const value = compute(key);
    if (known.size >= REMEMBERED) known.clear();
    known.set(key, value);
    return value;
  };
}
