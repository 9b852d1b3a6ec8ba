// Talking to the server. A failed write says so in `text`; it never throws.

const NOT_RECORDED = "Not recorded, please try again.";

export async function look(path, user, more = {}) {
  const answer = await fetch(`${path}?${new URLSearchParams({ as: user, ...more })}`);
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
  const source = new EventSource(`/api/events?${new URLSearchParams({ as: user, since })}`);
  source.onmessage = (event) => onmessage(JSON.parse(event.data));
  source.addEventListener("reset", onreset);
  source.onopen = () => onstate(true);
  source.onerror = () => onstate(false);
  return () => source.close();
}
