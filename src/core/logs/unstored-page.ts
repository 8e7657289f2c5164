import { html } from "./html-text.ts";
import { STORED_PAGE_POLICY } from "./stored-page.ts";

/** A build is stored some seconds after its answer, as a rule. */
const RELOAD_SECONDS = 5;

/** `index.html` until the build is stored: `live` is its page here, which shows it meanwhile. */
export function renderUnstoredPage(number: string, live: string): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${STORED_PAGE_POLICY}"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="${RELOAD_SECONDS}"><title>Build ${number}</title></head><body><main>
<h1>Build ${number} is not stored yet</h1>
<p>Its log and all that is known of it will stand here some seconds after its end; this page looks for that by itself. Until then: <a href="${live}">its page while it runs</a>.</p>
</main></body></html>
`.text;
}
