// What the next rung would cost, and a button that computes it in the background.

import {ask, follow, jobAction} from "./api.js";
import {el, fill, say, trouble} from "./dom.js";

// question: the body of /api/predict; done(answer): the new answer is there
export function higher(next, question, done) {
  if (!next) return null;
  const box = el("div", {class: "card higher"}, el("h2", {}, "The next rung: G4(MP2)"));
  const body = el("div", {});
  box.append(body);
  const again = {...question, rung: "g4mp2"};
  if (next.stored) {
    fill(body, el("p", {}, "It has been computed on this machine before."),
      el("button", {type: "button", onclick: () => show(again, done, body)}, "Show it"));
  } else if (next.problem) {
    fill(body, el("p", {class: "soft"}, next.problem));
  } else {
    fill(body, el("p", {}, `It computes this molecule from first principles. That would take about ${next.time} on this machine.`),
      el("button", {type: "button", id: "compute", onclick: () => compute(again, done, body)}, "Compute it in the background"));
  }
  return box;
}

async function show(question, done, box) {
  try {
    done(await ask("predict", question));
  } catch (problem) {
    fill(box, trouble(problem.message));
  }
}

async function compute(question, done, box) {
  let job;
  try {
    job = await ask("jobs", {predict: question});
  } catch (problem) {
    fill(box, trouble(problem.message));
    return;
  }
  watch(job, done, box, found => found);
}

// Shows how a job goes until it has ended; done(row) with its one row.
export function watch(job, done, box, hear = row => row) {
  const step = el("p", {class: "busy", role: "status"}, "waiting for its turn …");
  const cancel = el("button", {type: "button", class: "quiet", onclick: () => jobAction(job.id, "cancel").catch(problem => say(problem.message))}, "Cancel");
  fill(box, step, el("p", {class: "soft small"}, "You may close this page; the job is on the list under Batch, and it goes on after a restart of the server."), cancel);
  const found = [];
  follow(job.id, (now, rows) => {
    if (now.state === "running") step.textContent = `computing${now.step ? `: ${now.step}` : ""} …`;
    for (const row of rows) { found.push(row); hear(row); }
  }).then(end => {
    if (end.state !== "done") return fill(box, el("p", {class: "soft"}, end.state === "cancelled" ? "cancelled" : end.reason || "it failed"));
    say("the computation is done");
    done(found[0], found);
  }).catch(problem => fill(box, trouble(problem.message)));
}
