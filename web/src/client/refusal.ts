import type { Trouble } from './errors.ts';

/** An answer that is no stream: whether asking again can help, and what it says. */
export interface Refusal {
  /** again: the trouble may pass; renew: with other credentials; never: not as it was asked. */
  readonly next: 'again' | 'renew' | 'never';
  /** In a word or two: the problem's title, or the status line. */
  readonly reason: string;
  readonly trouble: Trouble;
}

/** The most of a problem's body that is read, in bytes. */
const MAX_PROBLEM_BYTES = 64 << 10;

/** Says what an answer other than a stream means, with the server's own words (RFC 9457) where it has some. */
export async function refusal(response: Response, url: string): Promise<Refusal> {
  const problem = await readProblem(response);
  const { status } = response;
  const reason = problem.title ?? (`${status} ${response.statusText}`.trim() || 'refused');
  const says = `${url} answered ${status}${problem.detail || problem.title ? `: ${problem.detail ?? problem.title}` : ''}`;
  const no = (next: Refusal['next'], code: Trouble['code'], hint: string): Refusal => ({ next, reason, trouble: { code, message: `${says}${hint && `; ${hint}`}` } });
  if (response.ok) return no('again', 'not_a_stream', `it is ${response.headers.get('Content-Type') ?? 'nothing'} and not text/event-stream: is there a sign-in page or a proxy in between?`);
  switch (status) {
    case 401:
      return no('renew', 'unauthorized', 'a token or session is needed');
    case 403:
      return no('never', 'forbidden', 'GET /v1/topics says what the token may see');
    case 404:
      return no('never', 'refused', 'is this the address of a livemap server?');
    case 429:
    case 503:
      return no('again', 'overload', 'it is tried again');
    case 408:
      return no('again', 'server', 'it is tried again');
  }
  if (status >= 400 && status < 500) return no('never', 'refused', 'the request has to change');
  return no('again', 'server', 'it is tried again');
}

async function readProblem(response: Response): Promise<{ title?: string; detail?: string }> {
  if (!(response.headers.get('Content-Type') ?? '').includes('json')) {
    void response.body?.cancel().catch(() => {});
    return {};
  }
  try {
    const { title, detail } = JSON.parse(await readText(response)) as Record<string, unknown>;
    return { ...(typeof title === 'string' && { title }), ...(typeof detail === 'string' && { detail }) };
  } catch {
    return {};
  }
}

/** The body as text, cut where it grows past the bound. */
async function readText(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (let bytes = 0; reader && bytes < MAX_PROBLEM_BYTES; ) {
    const { done, value } = await reader.read();
    if (done) return text;
    bytes += value.length;
    text += decoder.decode(value, { stream: true });
  }
  void reader?.cancel().catch(() => {});
  return text;
}
