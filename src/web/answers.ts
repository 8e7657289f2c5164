import type { Context } from "hono";
import type { Markup } from "./pages/markup.ts";

/** No script but ours, nothing from elsewhere, no text made into HTML by a script. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

export const SAFETY = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** May be kept, and is asked for again each time: the entity tag says whether it is still the same. */
const FRESH = "no-cache";

export function pageAnswer(context: Context, page: Markup, status: 200 | 400 | 404 | 405 | 500 | 503 = 200): Response {
  return context.body(page.toString(), status, {
    ...SAFETY,
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": PAGE_POLICY,
    "cache-control": FRESH,
  });
}

export function jsonAnswer(context: Context, value: unknown, status: 200 | 400 | 404 | 405 | 500 | 503 = 200): Response {
  return context.body(`${JSON.stringify(value)}\n`, status, {
    ...SAFETY,
    "content-type": "application/json",
    "content-security-policy": "default-src 'none'",
    "cache-control": FRESH,
  });
}
