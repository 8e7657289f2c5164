import { systemClock } from "../../../src/runtime/clock.ts";

const PAUSE_MS = 500;

interface LinesEvent {
  lines: { line: number; pieces: [string, string?][]; isOpen?: true }[];
}

/**
 * Every line of a live log's stream in the order in which they came, one that came twice twice; what has no end yet is left out. As a browser's
 * EventSource does, it opens the stream again with the id of the last event when that breaks, until the log has ended.
 */
export async function readLiveLines(
  url: () => string,
  { signal, onLine = () => {} }: { signal: AbortSignal; onLine?: (line: string) => void },
): Promise<string[]> {
  const lines: string[] = [];
  let id = "";
  for (;;) {
    try {
      for await (const event of eventsOf(url(), id, signal)) {
        id = event.id ?? id;
        if (event.event === "end") return lines;
        if (event.event !== "lines") throw new Error(`the reader was shown "${event.event}"`, { cause: "final" });
        const { lines: more } = JSON.parse(event.data ?? "") as LinesEvent;
        for (const { pieces, isOpen } of more) {
          if (isOpen) continue;
          const line = pieces.map(([text]) => text).join("");
          lines.push(line);
          onLine(line);
        }
      }
    } catch (error) {
      if (signal.aborted || (error as Error).cause === "final") throw error;
    }
    await systemClock.sleep(PAUSE_MS, signal);
  }
}

async function* eventsOf(url: string, id: string, signal: AbortSignal): AsyncGenerator<Record<string, string | undefined>> {
  const response = await fetch(url, { signal, headers: { connection: "close", ...(id === "" ? {} : { "last-event-id": id }) } });
  if (!response.ok) {
    await response.body?.cancel();
    return;
  }
  let text = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
      const fields = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const event = Object.fromEntries(fields.map((field) => field.split(/: (.*)/s, 2)));
      if (event.event !== undefined) yield event;
    }
  }
}
