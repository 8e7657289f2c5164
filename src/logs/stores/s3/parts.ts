/** A stream in parts of exactly `partBytes`, but for the last one; none for an empty stream. */
export async function* inParts(source: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of source) {
    let rest = chunk;
    while (heldBytes + rest.length >= partBytes) {
      const missing = partBytes - heldBytes;
      yield Buffer.concat([...held, rest.subarray(0, missing)], partBytes);
      rest = rest.subarray(missing);
      held = [];
      heldBytes = 0;
    }
    if (rest.length === 0) continue;
    held.push(rest);
    heldBytes += rest.length;
  }
  if (heldBytes > 0) yield Buffer.concat(held, heldBytes);
}
