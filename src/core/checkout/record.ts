import * as z from "zod";

/** What was checked out, as the checkout leaves it in its termination message: data beside the log, that nothing a test prints can fake. */

export const checkoutRecordSchema = z.object({
  project: z.string(),
  /** The full name by which it was fetched. */
  ref: z.string(),
  commit: z.string(),
  /** First line of what the commit's author says: hostile text. */
  subject: z.string(),
  /** Where it was fetched from, without credentials. */
  url: z.string(),
});

export type CheckoutRecord = z.infer<typeof checkoutRecordSchema>;

/** Reads what `renderCheckoutRecord` writes. What is cut or is no record is left out. */
export function parseCheckoutRecord(text: string): CheckoutRecord[] {
  return text.split("\n").flatMap((line) => {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return []; // the last line, cut
    }
    const parsed = checkoutRecordSchema.safeParse(value);
    return parsed.success ? [parsed.data] : [];
  });
}
