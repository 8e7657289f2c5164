/** Values by name, such as a Map. */
export interface FormatValues {
  get(name: string): string | undefined;
}

/** What was made of a text, or why nothing was, as a clause. */
export type FormattedText = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly fault: string };

/**
 * Python's `str.format`, by which Zuul's layouts and Jenkins Job Builder fill in templates: `{name}` is a value's, `{{` and `}}` are braces.
 * Whatever else Python knows (attributes, conversions, widths) is a fault, as is a name without a value. A value is not filled in again.
 */
export function formatText(text: string, values: FormatValues): FormattedText {
  let fault: string | undefined;
  const filled = text.replaceAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (piece: string, name: string | undefined) => {
    if (piece === "{{" || piece === "}}") return piece.slice(1);
    const value = name === undefined ? undefined : values.get(name);
    if (value !== undefined) return value;
    fault ??= name === undefined ? `has a lone ${piece}` : faultOf(name);
    return piece;
  });
  return fault === undefined ? { ok: true, text: filled } : { ok: false, fault };
}

function faultOf(name: string): string {
  return /^[^\s.[\]:!|]+$/.test(name) ? `needs a value for {${name}}` : `has {${name}}, which is no plain name of a value`;
}
