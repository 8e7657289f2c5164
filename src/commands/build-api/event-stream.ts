export interface StreamEvent {
  event: string;
  id: string | undefined;
  data: string;
}

/** An event with 256 KiB of a log, written out as JSON. */
const MAX_BYTES = 16 * 2 ** 20;

/** Server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html, as far as the API sends them: with "\n" alone. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<StreamEvent> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n", start)) {
      const event = parseEvent(text.slice(start, end));
      if (event) yield event;
      start = end + 2;
    }
    text = text.slice(start);
    if (text.length > MAX_BYTES) throw new Error("an event has no end");
  }
}

/** undefined for a comment. */
function parseEvent(text: string): StreamEvent | undefined {
  const fields = new Map(
    text.split("\n").map((line) => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")] as const;
    }),
  );
  const event = fields.get("event");
  return event === undefined ? undefined : { event, id: fields.get("id"), data: fields.get("data") ?? "" };
}
