/**
 * Puts what several captures report into one order of time.
 *
 * Each hands its packets on in order and with a delay of its own. So everything waits for a moment, the window; what
 * comes later than that is passed on late rather than not at all.
 */

export class Reorder<Item> {
  /** Sorted by time; what came first stands first among equals. */
  readonly #waiting: { readonly timeNs: bigint; readonly item: Item }[] = [];

  push(timeNs: bigint, item: Item): void {
    // Nearly everything belongs at the end, or close to it.
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1]?.timeNs ?? 0n) > timeNs) at -= 1;
    this.#waiting.splice(at, 0, { timeNs, item });
  }

  /** Everything up to a time, oldest first; it waits no longer. */
  release(untilNs: bigint): Item[] {
    const next = this.#waiting.findIndex(({ timeNs }) => timeNs > untilNs);
    const count = next < 0 ? this.#waiting.length : next;
    return this.#waiting.splice(0, count).map(({ item }) => item);
  }

  flush(): Item[] {
    return this.#waiting.splice(0).map(({ item }) => item);
  }
}
