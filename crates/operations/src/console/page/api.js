// The server, asked over its admin API.

const PATIENCE = 20_000;
const CHANGES = 150_000;

let token = "";
try {
  token = sessionStorage.getItem("token") ?? "";
} catch {
  // A browser that keeps nothing: the token holds until the page is left.
}

/** Why there is no answer. */
export class Failure extends Error {
  constructor(code, message, retry) {
    super(message);
    this.code = code;
    this.retry = retry;
  }
}

export const hasToken = () => token !== "";

export function useToken(text) {
  token = text;
  try {
    if (text) sessionStorage.setItem("token", text);
    else sessionStorage.removeItem("token");
  } catch {
    // As above.
  }
}

const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});

async function ask(path, options, patience) {
  let answer;
  try {
    answer = await fetch(path, { ...options, signal: AbortSignal.timeout(patience), cache: "no-store" });
  } catch (error) {
    const slow = error.name === "TimeoutError";
    throw new Failure(slow ? "timed-out" : "not-connected", slow ? "The server takes too long to answer." : "The server cannot be reached.", true);
  }
  return read(answer.status, await answer.text());
}

function read(status, text) {
  let body = null;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Failure("not-connected", `The server’s answer (${status}) cannot be read.`, true);
  }
  if (status >= 400) throw new Failure(body.code ?? "unknown", body.message ?? `The server answered ${status}.`, body.retry ?? false);
  return body;
}

/** Looks at something. What is empty among the parameters is left out. */
export function get(path, params = {}) {
  const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value));
  return ask(`/api/v1/${path}${query.size ? `?${query}` : ""}`, { headers: headers() }, PATIENCE);
}

/** Changes something. */
export const post = (path, body) =>
  ask(`/api/v1/${path}`, { method: "POST", headers: { ...headers(), ...(body && { "Content-Type": "application/json" }) }, body: body && JSON.stringify(body) }, CHANGES);

/** Sends a file as it is; `progress` hears what part of it has gone. */
export function upload(key, file, progress) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1/uploads?${new URLSearchParams({ key })}`);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / Math.max(event.total, 1));
    request.onerror = () => failed(new Failure("not-connected", "The connection broke off: try again.", true));
    request.onload = () => {
      try {
        done(read(request.status, request.responseText));
      } catch (error) {
        failed(error);
      }
    };
    request.send(file);
  });
}
