// The public API: nothing else is asked. A link's token travels in a header, never in an address.

export const HOUSE_ID = location.pathname.split("/").filter(Boolean).pop();
const BASE = "/v1/public";
let position = 0;

export class Refused extends Error {
  constructor(problem) {
    super(problem.title || "refused");
    this.problem = problem;
    this.slug = String(problem.type || "").split("/").pop();
  }
}

function key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function call(method, path, { body, token, etag, keyed } = {}) {
  const headers = {};
  if (position) headers["Journal-Position"] = position;
  if (token) headers.Authorization = `Manage ${token}`;
  if (etag) headers["If-Match"] = etag;
  if (method !== "GET") headers["Idempotency-Key"] = keyed;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(BASE + path, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: "omit", cache: "no-store",
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Refused(told), { retryAfter: Number(answer.headers.get("Retry-After")) });
  position = Math.max(position, Number(answer.headers.get("Journal-Position")) || 0);
  return { ...told, etag: answer.headers.get("ETag") };
}

// What has no answer, or is told to wait, is asked again under the same key: it happens once.
async function patiently(method, path, options = {}) {
  const keyed = key();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call(method, path, { ...options, keyed });
    } catch (failed) {
      const again = failed instanceof Refused ? failed.problem.status === 503 || failed.slug === "in-flight" : true;
      if (!again || attempt === 4) {
        if (failed instanceof Refused) throw failed;
        throw new Refused({ type: "/problems/unreachable", title: "The house cannot be reached. Check your connection and try again." });
      }
      await new Promise((resolve) => setTimeout(resolve, 400 * attempt));
    }
  }
}

export const house = () => patiently("GET", `/${HOUSE_ID}`);
export const services = async () => (await patiently("GET", `/${HOUSE_ID}/services?limit=200`)).items;
export const starts = async (serviceId, from, to, zone) => {
  const asked = new URLSearchParams({ start: from, end: to, time_zone: zone });
  return (await patiently("GET", `/${HOUSE_ID}/services/${serviceId}/slots?${asked}`)).slots;
};
export const hold = (wish) => patiently("POST", `/${HOUSE_ID}/appointments`, { body: wish });
export const sendCode = (id) => patiently("POST", `/appointments/${id}/codes`);
export const confirm = (id, code) => patiently("POST", `/appointments/${id}/confirm`, { body: { code } });
export const visit = (token) => patiently("GET", "/visit", { token });
export const move = (token, etag, start) => patiently("POST", "/visit/reschedule", { token, etag, body: { start } });
export const cancel = (token, etag) => patiently("POST", "/visit/cancel", { token, etag });
