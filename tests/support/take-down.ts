import { coerceError } from "../../src/runtime/errors.ts";

/**
 * Takes down all that was started, one after another, whatever becomes of each: one that fails leaves none of the others behind. Returns
 * whether all went; `log` is told which did not, and why.
 */
export async function takeAllDown(
  names: readonly string[],
  takeDown: (name: string) => Promise<void>,
  log: (line: string) => void,
): Promise<boolean> {
  let isAll = true;
  for (const name of names) {
    try {
      await takeDown(name);
    } catch (thrown) {
      isAll = false;
      log(`could NOT take down ${name}: ${coerceError(thrown).message}`);
    }
  }
  return isAll;
}
