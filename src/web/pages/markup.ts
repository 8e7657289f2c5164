import { html } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

/** HTML that is whole and escaped. */
export type Markup = HtmlEscapedString;

/** What may stand in a page: text is escaped, whatever it holds; nothing stands for what is absent. */
export type Piece = Markup | string | number | undefined | false | readonly Piece[];

/**
 * The only way in which pages are made: a tagged template that escapes every value that is not itself made by it, so that nobody can forget to.
 * Fit for the content of elements and for attributes between double quotes; never inside `script` or `style`, of which no page has any.
 */
export function markup(strings: TemplateStringsArray, ...values: readonly Piece[]): Markup {
  // Without a promise among the values there is none in the result.
  return html(strings, ...values) as Markup;
}
