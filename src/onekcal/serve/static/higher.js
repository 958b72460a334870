// What the next rung would cost, and a button that computes it in the background.

import {ask, follow, jobAction} from "./api.js";
import {el, fill, say, trouble} from "./dom.js";

const WHAT = {
  b3lyp: ["a model on B3LYP", "It computes the minimum with B3LYP and corrects it with a learned model."],
  g4mp2: ["G4(MP2)", "It computes the molecule from first principles."],
};

// rungs: what each would cost; question: the body of /api/predict; done(answer): the new answer is there
export function higher(rungs, question, done) {
  if (!rungs?.length) return null;
  return el("div", {class: "card higher"}, el("h2", {}, rungs.length > 1 ? "The next rungs" : "The next rung"), rungs.map(next => offer(next, question, done)));
}

function offer(next, question, done) {
  const body = el("div", {}), again = {...question, rung: next.rung}, [name, what] = WHAT[next.rung] || [next.rung, ""];
  if (next.stored) {
    fill(body, el("p", {}, `${what} This has been done on this machine before.`),
      el("button", {type: "button", onclick: () => show(again, done, body)}, "Show it"));
  } else if (next.problem) {
    fill(body, el("p", {class: "soft"}, next.problem));
  } else {
    fill(body, el("p", {}, `${what} That would take about ${next.time} on this machine.`),
      el("button", {type: "button", id: `compute-${next.rung}`, onclick: () => compute(again, done, body)}, "Compute it in the background"));
  }
  return el("div", {class: "rung"}, el("h3", {}, name), body);
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
