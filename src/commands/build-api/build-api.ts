import * as z from "zod";
import { artifactsRecordSchema } from "../../core/artifacts/artifacts-record.ts";
import { checkoutRecordSchema } from "../../core/checkout/record.ts";
import { checkResultSchema } from "../../core/checks/check-result.ts";
import { buildDetailsSchema, buildReportSchema } from "../../core/report/report-schemas.ts";
import { coerceError, TurboHipsterError } from "../../runtime/errors.ts";
import type { BuildPlace } from "./build-place.ts";
import { readEvents, type StreamEvent } from "./event-stream.ts";

/** What the operator's API did not answer; with `retryable` it may the next time. */
export class ApiError extends TurboHipsterError {
  declare readonly code: "TH_API_AWAY" | "TH_API_REFUSED" | "TH_API_STRANGE";

  constructor(code: ApiError["code"], message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(code, message, options);
  }
}

const lineSchema = z.object({
  line: z.int().positive(),
  pieces: z.array(z.union([z.tuple([z.string()]), z.tuple([z.string(), z.string()])])),
  omitted: z.number().optional(),
  isOpen: z.literal(true).optional(),
});
const noteSchema = z.object({ before: z.int(), kind: z.string(), text: z.string(), offset: z.int() });
/** In a window and in an event of a stream. docs/api.md tells of them. */
const linesSchema = z.object({ lines: z.array(lineSchema), notes: z.array(noteSchema) });
const windowSchema = linesSchema.extend({ total: z.int(), isEnded: z.boolean(), position: z.string() });
const buildSchema = z.intersection(
  buildReportSchema,
  z.object({
    attempt: z.int().optional(),
    words: z.object({ sentence: z.string(), meaning: z.string().optional(), next: z.string().optional(), rule: z.string().optional() }),
    details: buildDetailsSchema.optional(),
    commits: z.array(checkoutRecordSchema),
    artifacts: artifactsRecordSchema.optional(),
    checks: z.array(checkResultSchema).optional(),
    logs: z.array(z.string().regex(/^[a-z0-9][-a-z0-9]{0,62}$/)),
    problems: z.array(z.string()),
  }),
);

export type ApiBuild = z.infer<typeof buildSchema>;
export type LogLines = z.infer<typeof linesSchema>;
export type LogLine = z.infer<typeof lineSchema>;
export type LogWindow = z.infer<typeof windowSchema>;

export type LogEvent = { id: string | undefined } & (
  | { event: "lines"; data: LogLines }
  | { event: "skipped"; data: { line: number } }
  | { event: "end" }
);

/** One build, asked for at an operator's public port. Every method rejects with an ApiError, or with the reason of `signal`. */
export class BuildApi {
  readonly place: BuildPlace;
  readonly #signal: AbortSignal;

  constructor(place: BuildPlace, signal: AbortSignal) {
    this.place = place;
    this.#signal = signal;
  }

  async build(): Promise<ApiBuild> {
    return this.#parse(buildSchema, await this.#json(""));
  }

  async lines(container: string, from: number, count: number): Promise<LogWindow> {
    return this.#parse(windowSchema, await this.#json(`/logs/${container}?from=${from}&count=${count}`));
  }

  /** As it was printed. */
  async raw(container: string): Promise<ReadableStream<Uint8Array> | null> {
    const { base, number } = this.place;
    return (await this.#fetch(`${base}/builds/${number}/logs/${container}/raw`, {})).body;
  }

  async *stream(container: string, position: string): AsyncGenerator<LogEvent> {
    const headers = { accept: "text/event-stream", "last-event-id": position };
    const { body } = await this.#fetch(this.#path(`/logs/${container}/stream`), headers);
    if (!body) return;
    try {
      for await (const event of readEvents(body)) {
        const known = this.#parseEvent(event);
        if (known) yield known;
      }
    } catch (error) {
      throw this.#away(error);
    }
  }

  #parseEvent({ event, id, data }: StreamEvent): LogEvent | undefined {
    const value = () => parseJson(data);
    if (event === "end") return { event, id };
    if (event === "lines") return { event, id, data: this.#parse(linesSchema, value()) };
    if (event === "skipped") return { event, id, data: this.#parse(z.object({ line: z.int().positive() }), value()) };
    return undefined;
  }

  #path(rest: string): string {
    return `${this.place.base}/api/v1/builds/${this.place.number}${rest}`;
  }

  async #json(rest: string): Promise<unknown> {
    const response = await this.#fetch(this.#path(rest), { accept: "application/json" });
    try {
      return await response.json();
    } catch (error) {
      throw error instanceof SyntaxError ? this.#strange(error) : this.#away(error);
    }
  }

  async #fetch(url: string, headers: Record<string, string>): Promise<Response> {
    const ask = () => fetch(url, { headers, signal: this.#signal, redirect: "error" });
    // A connection that was kept may be closed just when it is used again.
    const askAgain = (error: unknown) =>
      codeOf(error) === "UND_ERR_SOCKET" || codeOf(error) === "ECONNRESET" ? ask() : Promise.reject(error);
    let response: Response;
    try {
      response = await ask().catch(askAgain);
    } catch (error) {
      throw this.#away(error);
    }
    if (response.ok) return response;
    const said = z.object({ error: z.string() }).safeParse(parseJson(await response.text().catch(() => ""))).data?.error;
    const isPassing = response.status >= 500;
    throw new ApiError(
      isPassing ? "TH_API_AWAY" : "TH_API_REFUSED",
      said ?? `${this.place.base} answers ${response.status}: is it the operator's public port?`,
      { retryable: isPassing },
    );
  }

  #parse<T>(schema: z.ZodType<T>, value: unknown): T {
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw this.#strange(parsed.error);
    return parsed.data;
  }

  #strange(cause: Error): ApiError {
    return new ApiError("TH_API_STRANGE", `${this.place.base} answers what this version does not understand`, { cause });
  }

  #away(thrown: unknown): Error {
    this.#signal.throwIfAborted();
    if (thrown instanceof ApiError) return thrown;
    const error = coerceError(thrown);
    const why = codeOf(error) ?? error.message;
    return new ApiError("TH_API_AWAY", `nothing answers at ${this.place.base} (${why})`, { cause: error, retryable: true });
  }
}

/** Of what Node's fetch rejects with. */
function codeOf(thrown: unknown): string | undefined {
  const { code } = ((thrown as { cause?: unknown } | null)?.cause ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
