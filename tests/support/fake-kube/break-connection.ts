import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";

/** Closes the connection below an answer without a word, whichever HTTP it speaks. */
export function breakConnection(response: ServerResponse): void {
  const { stream } = response as unknown as Partial<Http2ServerResponse>;
  if (stream?.session !== undefined) stream.session.destroy();
  else response.destroy();
}
