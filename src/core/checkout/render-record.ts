// Beside its schema: the checkout's container starts without zod, which takes longer to load than all of it.
import type { CheckoutRecord } from "./record.ts";

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
