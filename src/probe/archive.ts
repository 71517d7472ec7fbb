/** Reads a tar archive: how the results of a group of probes leave the sandbox in one piece. */

const BLOCK = 512;

/** Plain files by their name. @see POSIX.1-2017 pax, "ustar Interchange Format" */
export function readArchive(bytes: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const text = (from: number, length: number): string =>
    new TextDecoder().decode(bytes.subarray(from, from + length)).replace(/\0.*$/s, '');
  let offset = 0;
  while (offset + BLOCK <= bytes.length && bytes[offset] !== 0) {
    const size = Number.parseInt(text(offset + 124, 12).trim(), 8);
    const type = text(offset + 156, 1);
    const start = offset + BLOCK;
    if (type === '0' || type === '') {
      files.set(text(offset, 100).replace(/^\.\//, ''), bytes.subarray(start, start + size));
    }
    offset = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  return files;
}
