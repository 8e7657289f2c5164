import { type Markup, markup, type Piece } from "./markup.ts";

/** Where a page finds what lies beside it: on our port, or in the folder of a stored build. */
export interface PageFrame {
  stylesheet: string;
  script: string;
  icon: string;
  /** The other pages; a stored page has none. */
  home?: string | undefined;
}

export interface PageParts {
  title: string;
  /** Which part of the navigation it belongs to. */
  section?: "builds" | "tasks";
  /** Without a script, a page of something that goes on is loaded anew after so many seconds. */
  reloadSeconds?: number | undefined;
  body: Piece;
}

/** The way from a page to those that are named from the root. */
export function homeOf({ home = "" }: PageFrame): string {
  return home;
}

/** A whole document. Pure, like all that renders: the same for the live pages and for those that are stored. */
export function renderPage(frame: PageFrame, { title, section, reloadSeconds, body }: PageParts): Markup {
  const link = (path: string, name: string, of: PageParts["section"]) =>
    markup`<a href="${frame.home ?? ""}${path}"${section === of && markup` aria-current="page"`}>${name}</a>`;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title} - Turbo Hipster</title>
<link rel="icon" href="${frame.icon}" type="image/svg+xml">
<link rel="stylesheet" href="${frame.stylesheet}">
${reloadSeconds !== undefined && markup`<noscript><meta http-equiv="refresh" content="${reloadSeconds}"></noscript>`}
<script src="${frame.script}" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${
  frame.home !== undefined &&
  markup`<header class="top"><nav aria-label="Pages"><b>Turbo Hipster</b>${link("builds", "Builds", "builds")}${link("tasks", "Tasks", "tasks")}</nav></header>`
}
<main id="main" tabindex="-1">
${body}
</main>
</body>
</html>
`;
}
