import { z } from "zod";

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

/** The kubelet keeps 4 KiB of a termination message, and less where a pod has more than three containers. */
const MAX_BYTES = 4096;
const MAX_SUBJECT = 100;

/** Lines for the head of the log. Not yet cleaned of control characters. */
export function renderHead(records: readonly CheckoutRecord[]): string[] {
  return records.map(({ project, ref, commit, subject, url }) => `checked out ${project} at ${commit} (${ref} of ${url}) ${subject}`);
}

/** A line of JSON for each project, ZUUL_PROJECT first, so that a reader loses whole lines at most where the text is cut. */
export function renderCheckoutRecord(records: readonly CheckoutRecord[]): string {
  let text = "";
  for (const { project, ref, commit, subject, url } of records) {
    const line = `${JSON.stringify({ project, ref, commit, subject: subject.slice(0, MAX_SUBJECT).toWellFormed(), url })}\n`;
    if (new TextEncoder().encode(text + line).length > MAX_BYTES) break;
    text += line;
  }
  return text;
}

/** Reads it again. What is cut or is no record is left out. */
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
