import fc from "fast-check";

/** An object with some of the fields. */
export function fields(model: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> {
  const entries = Object.entries(model).map(([name, value]) => fc.tuple(fc.constant(name), value, fc.nat(name === "unknown" ? 19 : 3)));
  return fc
    .tuple(...entries)
    .map((list) => Object.fromEntries(list.filter(([, , dice]) => dice === 0).map(([name, value]) => [name, value])));
}

/** One of these. */
export function pick(...values: unknown[]): fc.Arbitrary<unknown> {
  return fc.constantFrom(...values);
}

/** Nine times of ten the first. */
export function usually(good: fc.Arbitrary<unknown>, ...others: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 9 * others.length, arbitrary: good }, ...others.map((arbitrary) => ({ weight: 1, arbitrary })));
}

/** Of Go, or nearly. */
export function durations(): fc.Arbitrary<unknown> {
  const term = fc.tuple(fc.nat(200), pick("h", "m", "s", "ms")).map(([amount, unit]) => `${amount}${unit}`);
  const sums = fc.array(term, { minLength: 1, maxLength: 4 }).map((terms) => terms.join(""));
  return usually(
    pick("90s", "1h30m", "1.5h", "168h", "1s"),
    sums,
    pick("", "0s", "999ms", "168h1ms", "1d", "-1h", "1", 60, null, "1.h", ".5h", "1us", "1h ", "+1h", "1H"),
  );
}

/** Where something is mounted. */
export function paths(): fc.Arbitrary<unknown> {
  return usually(
    pick("/workspace", "/home/zuul/src", "/a", "/tmpfoo", "/devel", "/run/turbo"),
    pick("", "/", "a", "/a/", "/a//b", "/..", "/a/.b", "/tmp", "/tmp/a", "/dev", "/run/turbo-hipster", "/a b", "/run/turbo-hipster/x"),
  );
}
