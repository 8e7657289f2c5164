import { homeOf, type PageFrame, renderPage } from "./layout.ts";
import { type Markup, markup } from "./markup.ts";

/** What is said instead of a page that there is not, in a sentence. */
export function renderProblemPage(frame: PageFrame, heading: string, sentence: string): Markup {
  return renderPage(frame, {
    title: heading,
    body: markup`<h1>${heading}</h1><p>${sentence}</p><p><a href="${homeOf(frame)}builds">All builds</a></p>`,
  });
}
