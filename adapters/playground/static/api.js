// Talking to the server. A failed write says so in `text`; it never throws.

const NOT_RECORDED = "Not recorded, please try again.";

const NOT_REACHABLE = "Not reachable; try again.";
const AGAIN = 2000; // ms until a stream that the browser gave up is opened anew

/** What the server shows *user*. Throws an Error whose message people can read. */
export async function look(path, user, more = {}) {
  const answer = await fetch(`${path}?${new URLSearchParams({ as: user, ...more })}`).catch(() => { throw new Error(NOT_REACHABLE); });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(body.text ?? "This cannot be shown right now.");
  return body;
}

export async function act(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Playground": "1" },
      body: JSON.stringify(body),
    });
    const told = await answer.json().catch(() => ({ text: NOT_RECORDED }));
    return { ...told, ok: answer.ok };
  } catch {
    return { ok: false, text: NOT_RECORDED };
  }
}

export const newKey = () => crypto.randomUUID();

/** Every change after *since*, live. Reconnects by itself. Returns a function that stops it. */
export function follow(user, since, { onmessage, onreset, onstate }) {
  let source = null, last = since, timer = 0;
  const open = () => {
    source = new EventSource(`/api/events?${new URLSearchParams({ as: user, since: last })}`);
    source.onmessage = (event) => { last = event.lastEventId || last; onmessage(JSON.parse(event.data)); };
    source.addEventListener("reset", onreset);
    source.onopen = () => onstate(true);
    source.onerror = () => {
      onstate(false);
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, AGAIN); // an error page instead of a stream
    };
  };
  open();
  return () => { clearTimeout(timer); source.close(); };
}
