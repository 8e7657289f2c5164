import type { Badge } from "../../core/report/build-words.ts";
import { type Markup, markup } from "./markup.ts";

export function renderBadge({ word, look }: Badge): Markup {
  return markup`<span class="badge is-${look}">${word}</span>`;
}
