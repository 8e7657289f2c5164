/**
 * Kubernetes quantities (`500m`, `2`, `1Gi`, `1e3`) as exact numbers, so that two of them can be compared. Syntax and suffixes as in
 * k8s.io/apimachinery/pkg/api/resource/quantity.go; signs are left out: no amount of a resource is negative.
 */
export const QUANTITY_PATTERN = "^([0-9]+(?:[.][0-9]*)?|[.][0-9]+)(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,2}))?$";
const QUANTITY = new RegExp(QUANTITY_PATTERN);
/** Longer texts are no sensible amount and would only cost time. */
export const QUANTITY_MAX_LENGTH = 40;

const DECIMAL_EXPONENT: Record<string, number> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY_SHIFT: Record<string, bigint> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n };
/** Everything is held in units of 10^-SCALE, which is exact for every text of at most QUANTITY_MAX_LENGTH characters. */
const SCALE = 150;

/** The amount in units of 10^-150, or undefined when `quantity` is none. */
function parseQuantity(quantity: string | number): bigint | undefined {
  const text = String(quantity);
  if (text.length > QUANTITY_MAX_LENGTH) return undefined;
  const match = QUANTITY.exec(text);
  if (!match) return undefined;
  const [, digits = "", suffix = "", exponent = "0"] = match;
  const [whole = "", fraction = ""] = digits.split(".");
  const decimal = Number(exponent) + (DECIMAL_EXPONENT[suffix] ?? 0) - fraction.length;
  return (BigInt(whole + fraction) << (BINARY_SHIFT[suffix] ?? 0n)) * 10n ** BigInt(SCALE + decimal);
}

export function isQuantity(quantity: string | number): boolean {
  return parseQuantity(quantity) !== undefined;
}

/** Of an amount of bytes, rounded down; 0 for what is no quantity. */
export function quantityBytes(quantity: string): number {
  return Number((parseQuantity(quantity) ?? 0n) / 10n ** BigInt(SCALE));
}

/** Negative when `left` is less than `right`, 0 when equal, positive when more. Two texts that are no quantities compare as equal. */
export function compareQuantities(left: string | number, right: string | number): number {
  const leftAmount = parseQuantity(left);
  const rightAmount = parseQuantity(right);
  if (leftAmount === undefined || rightAmount === undefined || leftAmount === rightAmount) return 0;
  return leftAmount < rightAmount ? -1 : 1;
}
