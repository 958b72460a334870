// The JSON API. A refusal becomes an Error whose message is one clear line.

export async function ask(path, body, method) {
  const given = body === undefined ? {} : body instanceof Blob
    ? {body, headers: {"Content-Type": "application/octet-stream"}}
    : {body: JSON.stringify(body), headers: {"Content-Type": "application/json"}};
  let reply;
  try {
    reply = await fetch(`/api/${path}`, {method: method || (body === undefined ? "GET" : "POST"), ...given});
  } catch {
    throw new Error("the server does not answer; is it still running?");
  }
  if (reply.status === 204) return null;
  const told = await reply.json().catch(() => ({problem: `the server answered ${reply.status}`}));
  if (!reply.ok) throw new Error(told.problem || `the server answered ${reply.status}`);
  return told;
}

const ended = job => !["waiting", "running"].includes(job.state);
export const wait = ms => new Promise(done => setTimeout(done, ms));

// Follows a job: `hear(job, rows)` is called with what is new, until it has ended or `signal` aborts.
export async function follow(id, hear, signal) {
  let after = 0;
  for (;;) {
    const told = await ask(`jobs/${encodeURIComponent(id)}/rows?after=${after}`);
    if (signal?.aborted) return null;
    after = told.next || after;
    hear(told.job, told.rows);
    if (ended(told.job) && !told.rows.length) return told.job;
    if (told.rows.length < 1000) await wait(ended(told.job) ? 0 : 700);
    if (signal?.aborted) return null;
  }
}

export const jobAction = (id, action) => ask(`jobs/${encodeURIComponent(id)}/${action}`, {});
export const removeJob = id => ask(`jobs/${encodeURIComponent(id)}`, undefined, "DELETE");
export const download = (id, ending) => `/api/jobs/${encodeURIComponent(id)}/download.${ending}`;
