// The review page. The server holds every answer; this file shows what it says and sends what is pressed.
"use strict";

const WORDS = { keep: "keep", drop: "drop", wrong: "wrong person" };
const element = (id) => document.getElementById(id);

let state = null; // the last reply: see _Review.state in review.py
let selected = 0; // number of the marked picture
let playing = -1; // number of the sound that S played last
let queue = Promise.resolve();

// Keys may come faster than replies: each waits for the one before it, and none is lost.
function act(action) {
  queue = queue.then(action).then(
    () => { element("error").hidden = true; },
    (error) => {
      element("error").textContent = error.message;
      element("error").hidden = false;
    },
  );
}

async function ask(path, body) {
  const post = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(path, body === undefined ? {} : post);
  } catch {
    throw new Error("The command that serves this page has ended. What you answered before is saved: start the command again.");
  }
  if (!answer.ok) throw new Error(await answer.text());
  show(await answer.json());
}

function here() {
  return state.person ? state.person.number : state.people; // after the last one
}

function judge(verdict, all = false) {
  if (!state.person || !state.person.pictures.length) return;
  const pictures = all ? state.person.pictures.map((_, number) => number) : [selected];
  const next = all ? selected : Math.min(selected + 1, state.person.pictures.length - 1);
  return ask("/answer", { person: here(), pictures, verdict }).then(() => select(next));
}

function show(reply) {
  const same = state && state.person && reply.person && state.person.number === reply.person.number;
  state = reply;
  showProgress();
  if (!same) {
    showPerson();
    if (!state.person) element("name").focus();
  }
  if (state.person) {
    showVerdicts();
    select(Math.min(state.selected, state.person.pictures.length - 1));
  }
  if (!same) {
    // Whoever has done one person knows the help, which fills a narrow window.
    const known = state.done > 0 && window.matchMedia("(max-width: 40rem)").matches;
    (known ? element("name") : document.body).scrollIntoView();
  }
}

function showProgress() {
  const left = state.people - state.done;
  let text = `${state.done} of ${state.people} people done`;
  if (state.minutes !== null && left) text += `, ${state.minutes < 1 ? "less than 1" : `about ${Math.round(state.minutes)}`} min left`;
  element("count").textContent = text;
  element("reviewer").textContent = `reviewer: ${state.reviewer}`;
  element("progress").max = state.people;
  element("progress").value = state.done;
}

function showPerson() {
  const person = state.person;
  element("person").hidden = !person;
  element("help").hidden = !person;
  element("end").hidden = Boolean(person);
  for (const id of ["keep", "drop", "wrong", "drop-all", "wrong-all", "next"]) element(id).disabled = !person;
  element("back").disabled = here() === 0;
  for (const audio of document.querySelectorAll("audio")) audio.pause();
  playing = -1;
  if (!person) {
    element("name").textContent = state.people === 1 ? "The one person is done" : `All ${state.people} people are done`;
    element("counts").textContent = Object.entries(WORDS).map(([key, word]) => `${state.counts[key]} ${word}`).join(", ") + ".";
    element("selection").textContent = "";
    return;
  }
  element("name").textContent = person.name;
  element("voice").hidden = !person.sounds.length;
  element("sounds").replaceChildren(...person.sounds.map((caption, number) => soundOf(person, caption, number)));
  const pictures = person.pictures.map((picture, number) => pictureOf(person, picture, number));
  const chosen = pictures.filter((_, number) => person.pictures[number].chosen);
  const others = pictures.filter((_, number) => !person.pictures[number].chosen);
  element("chosen").replaceChildren(...chosen);
  element("left-out").replaceChildren(...others);
  element("chosen-title").textContent = chosen.length ? `Chosen: ${chosen.length}` : "No picture was chosen";
  element("others-title").textContent = `Left out: ${others.length}. Nothing to do, unless one is better than you see above: K keeps it`;
  element("others").hidden = !others.length;
}

function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function pictureOf(person, picture, number) {
  const image = make("img", { src: `/pictures/${person.number}/${number}`, alt: "", draggable: false });
  const badge = make("span", { className: "badge" });
  const button = make("button", { type: "button", className: "picture", tabIndex: -1 }, image, badge);
  image.addEventListener("error", () => image.replaceWith(make("span", { className: "unreadable", textContent: "This picture cannot be read" })));
  button.addEventListener("click", () => select(number));
  button.addEventListener("focus", () => select(number));
  const words = [picture.chosen ? "" : `left out: ${picture.reason}`, picture.caption].filter(Boolean);
  const caption = make("span", { className: "caption" }, make("strong", { textContent: `${number + 1} ` }), words.join(" · "));
  return make("li", { className: picture.chosen ? "" : "dim" }, button, caption);
}

function soundOf(person, caption, number) {
  const audio = make("audio", { controls: true, preload: "metadata", src: `/sounds/${person.number}/${number}` });
  audio.setAttribute("aria-label", caption);
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    playing = number;
  });
  return make("li", {}, make("span", { className: "caption", textContent: caption }), audio);
}

function buttons() {
  return [...document.querySelectorAll(".picture")];
}

function showVerdicts() {
  const person = state.person;
  buttons().forEach((button, number) => {
    const { verdict, chosen, reason } = person.pictures[number];
    button.dataset.verdict = verdict || "";
    button.querySelector(".badge").textContent = verdict ? WORDS[verdict] : "";
    const said = verdict ? WORDS[verdict] : chosen ? "chosen" : `left out: ${reason}`;
    button.setAttribute("aria-label", `Picture ${number + 1} of ${person.pictures.length}, ${said}`);
  });
  element("name").dataset.done = person.done ? "yes" : "";
}

function select(number) {
  const all = buttons();
  if (!state.person || !all[number]) {
    element("selection").textContent = state.person ? "This person has no picture." : "";
    return;
  }
  selected = number;
  all.forEach((button, other) => {
    button.tabIndex = other === number ? 0 : -1;
    button.classList.toggle("marked", other === number);
  });
  if (document.activeElement !== all[number]) all[number].focus();
  element("selection").textContent = `Marked: ${all[number].getAttribute("aria-label")}`;
}

// The picture above or below: of the next row that way, the nearest one.
function upOrDown(direction) {
  const places = buttons().map((button) => button.getBoundingClientRect());
  const from = places[selected];
  if (!from) return;
  const distance = (place) => direction * (place.top - from.top);
  const ahead = places.filter((place) => distance(place) > from.height / 2);
  if (!ahead.length) return;
  const row = Math.min(...ahead.map(distance));
  const inRow = ahead.filter((place) => distance(place) < row + from.height / 2);
  inRow.sort((a, b) => Math.abs(a.left - from.left) - Math.abs(b.left - from.left));
  select(places.indexOf(inRow[0]));
}

function playSound() {
  const sounds = [...document.querySelectorAll("audio")];
  const now = sounds.find((audio) => !audio.paused);
  if (now) return now.pause();
  if (!sounds.length) return;
  playing = (playing + 1) % sounds.length;
  sounds[playing].currentTime = 0;
  return sounds[playing].play();
}

const ACTIONS = {
  keep: () => judge("keep"),
  drop: () => judge("drop"),
  wrong: () => judge("wrong"),
  "drop-all": () => judge("drop", true),
  "wrong-all": () => judge("wrong", true),
  undo: () => ask("/undo", { person: here() }),
  back: () => (here() > 0 ? ask(`/people/${here() - 1}`) : undefined),
  next: () => (state.person ? ask("/next", { person: here() }) : undefined),
};
const KEYS = { k: "keep", d: "drop", w: "wrong", u: "undo", b: "back", n: "next" };

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || !state) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const inSound = event.target instanceof HTMLAudioElement; // where arrows move in the sound
  const name = KEYS[key];
  if (name && !event.repeat) {
    if (event.shiftKey && name !== "drop" && name !== "wrong") return;
    act(ACTIONS[event.shiftKey ? `${name}-all` : name]);
  } else if (key === "s" && !event.repeat) {
    act(playSound);
  } else if (/^[1-9]$/.test(key)) {
    act(() => select(Number(key) - 1));
  } else if (key.startsWith("Arrow") && !inSound && state.person) {
    const steps = {
      ArrowLeft: () => select(Math.max(selected - 1, 0)),
      ArrowRight: () => select(Math.min(selected + 1, state.person.pictures.length - 1)),
      ArrowUp: () => upOrDown(-1),
      ArrowDown: () => upOrDown(1),
    };
    act(steps[key]);
  } else {
    return;
  }
  event.preventDefault();
}

document.addEventListener("keydown", pressed);
for (const [id, action] of Object.entries(ACTIONS)) {
  element(id).addEventListener("click", () => act(action));
}
act(() => ask("/people/next"));
