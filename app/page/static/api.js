// Talks to the service. Reading goes on by itself when the service was away; changing says so at once.

import { clock, ENDED } from "./dom.js";

// The page lies at <anything>/ui/, the service at <anything>/.
export const ROOT = new URL("../", new URL(".", import.meta.url));
const LONGEST_PAUSE = 4000;

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? "The service gave no reason.");
    this.status = status;
    this.title = body.title ?? "It did not work";
    this.code = body.code ?? "";
    this.errors = body.errors ?? [];
  }
}

// Tells whether the service answers: an event "change", and what is so now.
export const connection = Object.assign(new EventTarget(), { lost: false });

function connected(yes) {
  if (connection.lost === !yes) return;
  connection.lost = !yes;
  connection.dispatchEvent(new Event("change"));
}

export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, milliseconds);
    function done() {
      signal?.removeEventListener("abort", stop);
      resolve();
    }
    function stop() {
      clearTimeout(timer);
      reject(signal.reason);
    }
    signal?.throwIfAborted();
    signal?.addEventListener("abort", stop, { once: true });
  });
}

async function send(method, path, { body, query, signal, headers } = {}) {
  const url = new URL(path.replace(/^\//, ""), ROOT);
  for (const [name, value] of Object.entries(query ?? {}))
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") url.searchParams.append(name, one);
  let answer;
  try {
    answer = await fetch(url, {
      method,
      signal,
      // A header that no foreign page can send: without it a cookie changes nothing.
      headers: { Accept: "application/json", "Sufficiency-Page": "1", ...(method === "GET" ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    connected(false);
    throw new Problem(0, { title: "No answer", detail: "The service cannot be reached; nothing was changed." });
  }
  clock.hear(answer.headers.get("date"));
  const away = [502, 503, 504].includes(answer.status);
  connected(!away);
  if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({ title: answer.statusText })));
  return answer;
}

async function read(answer) {
  return answer.status === 204 ? null : answer.json();
}

// Reads, again and again while the service is away.
export async function get(path, query, signal) {
  for (let wait = 500; ; wait = Math.min(wait * 2, LONGEST_PAUSE)) {
    try {
      return await read(await send("GET", path, { query, signal }));
    } catch (error) {
      // Said here, since a view may show what went wrong itself and go on.
      if (error instanceof Problem && error.status === 401 && !signal?.aborted) document.dispatchEvent(new Event("unknown"));
      if (!(error instanceof Problem) || ![0, 502, 503, 504].includes(error.status)) throw error;
      await pause(wait, signal);
    }
  }
}

export async function post(path, body, options = {}) {
  return read(await send("POST", path, { body, ...options }));
}

export async function put(path, body) {
  return read(await send("PUT", path, { body }));
}

export async function patch(path, body) {
  return read(await send("PATCH", path, { body }));
}

export async function remove(path) {
  return read(await send("DELETE", path));
}

// All items of a list.
export async function getAll(path, query, signal, most = Infinity) {
  const items = [];
  let cursor;
  do {
    const page = await get(path, { ...query, cursor }, signal);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < most);
  return items;
}

// Follows a job's events to its end, over every break of the connection.
// With fetch and not EventSource: that one gives up for good on a 503, and says nothing of why.
export async function follow(id, onEvent, signal) {
  let last = 0;
  let state = null;
  for (let wait = 500; ; wait = Math.min(wait * 2, LONGEST_PAUSE)) {
    try {
      const answer = await send("GET", `/jobs/${id}/events`, {
        signal,
        headers: { Accept: "text/event-stream", "Last-Event-ID": String(last) },
      });
      for await (const event of events(answer.body)) {
        if (event.type === "interrupted") break; // the service stops, or its database is away
        wait = 500;
        last = event.id ?? last;
        if (event.type === "state") state = event.data.state;
        onEvent(event);
      }
      // The service ends the stream of an ended job; of a retried one, earlier ends are only part of its history.
      if (ENDED.has(state)) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && ![0, 502, 503, 504].includes(error.status)) throw error;
      if (!(error instanceof Problem)) connected(false);
    }
    try {
      await pause(wait, signal);
    } catch {
      return;
    }
  }
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r\n", "\n");
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const event = { type: "message", id: null, data: "" };
      for (const line of text.slice(0, end).split("\n")) {
        const [, field, content] = /^(\w*):? ?(.*)$/.exec(line) ?? [];
        if (field === "event") event.type = content;
        else if (field === "id") event.id = Number(content);
        else if (field === "data") event.data += content;
      }
      text = text.slice(end + 2);
      if (event.data) yield { ...event, data: JSON.parse(event.data) };
    }
  }
}
