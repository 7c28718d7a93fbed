// Hover, epoch slider, rotation and sorting. Everything drawn here lies in the page already; geometry
// and words follow matrix.py and constellation.py.
"use strict";
(() => {
const find = (query) => document.querySelector(query);
const all = (query) => [...document.querySelectorAll(query)];
const on = (target, names, act) => names.split(" ").forEach((name) => target.addEventListener(name, act));
const { hover, explorer } = JSON.parse(find("#data").textContent);
const { abs, min, max, sin, cos, hypot, round } = Math;

// The nearest point of a chart says its value: pointer, tap, or arrow keys. spots: [x, y, text]
const tip = find("#tip"), spots = new Map(), ring = document.createElementNS("http://www.w3.org/2000/svg", "circle");
let held;
const hush = () => { tip.hidden = true; ring.remove(); };
const say = (svg, index) => {
  const [x, y, text] = spots.get(svg)[svg.at = index];
  const box = svg.getBoundingClientRect(), scale = box.width / 344, above = box.top + y * scale;
  for (const [name, value] of [["class", "hot"], ["cx", x], ["cy", y], ["r", 6]]) ring.setAttribute(name, value);
  svg.append(ring);
  tip.textContent = text;
  tip.hidden = false;
  tip.style.left = max(4, min(innerWidth - tip.offsetWidth - 4, box.left + x * scale - tip.offsetWidth / 2)) + "px";
  tip.style.top = (above < tip.offsetHeight + 16 ? above + 14 : above - tip.offsetHeight - 12) + "px";
};
all("svg.curves, svg.profile, svg.phases").forEach((svg, i) => spots.set(svg, hover.charts[i].map(([x, y, where, value]) => [x, y, hover.places[where] + "\n" + value])));
all("svg.chart[tabindex]").forEach((svg) => {
  on(svg, "pointermove pointerdown", (event) => {
    const box = svg.getBoundingClientRect(), scale = 344 / box.width;
    let best = -1, least = svg.matches(".phases") ? 1e4 : 900;
    if (!held) spots.get(svg)?.forEach(([x, y], i) => {
      const away = hypot(x - (event.clientX - box.left) * scale, y - (event.clientY - box.top) * scale) ** 2;
      if (away < least) [best, least] = [i, away];
    });
    best < 0 ? hush() : say(svg, best);
  });
  on(svg, "pointerleave blur", (event) => event.pointerType === "touch" || hush());
  on(svg, "keydown", (event) => {
    const way = ["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"].indexOf(event.key), sign = way < 2 ? -1 : 1, list = spots.get(svg);
    if (way < 0 || !list?.length) return hush();
    event.preventDefault();
    if (svg.matches(".turns")) way % 2 ? rotate(0, sign * 0.12) : rotate(sign * 0.12, 0);
    else say(svg, ((svg.at ?? (sign > 0 ? -1 : 0)) + sign + list.length) % list.length);
  });
});
on(window, "scroll", hush);

// Class means: 12 bits in two characters, 4095 is "not a number"
const grid = find("svg.matrix"), sky = find("svg.constellation");
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const decode = (text, bound) => (text.match(/../g) || []).map((pair) => {
  const code = letters.indexOf(pair[0]) * 64 + letters.indexOf(pair[1]);
  return code > 4094 ? NaN : (code / 2047 - 1) * bound;
});
const digits = (v, n) => v !== v ? "–" : v.toFixed(n).replace("-", "−");
const short = (v) => abs(v) < 0.005 ? "0" : abs(v) > 0.995 ? digits(v, 0) : digits(v, 2).replace("0.", ".");
const word = (x, y, text, css, anchor = "middle") => `<text x="${x}" y="${y}" class="${css}" text-anchor="${anchor}">${text}</text>`;
let shot, yaw = 0.42, pitch = 0.16;

const drawMatrix = () => {
  const k = shot.k.length, side = 320 / k, inner = side > 8 ? side - 1 : side, values = decode(shot.m, 1), tones = {}, list = [], table = shot.k.map(() => []);
  let words = "", next = 0;
  shot.k.forEach((one, i) => shot.k.forEach((other, j) => {
    const v = i === j ? 1 : j < i ? table[j][i] : values[next++], x = 22 + j * side, y = 22 + i * side;
    table[i][j] = v;
    const level = v === v ? Math.sign(v) * round(24 * abs(v) ** 0.7) : 0;
    tones[level] = (tones[level] || "") + `M${x} ${y}h${inner}v${inner}h-${inner}z`;
    if (k < 13) words += word(x + side / 2, y + side / 2 + 4, short(v), "cell");
    list.push([x + side / 2, y + side / 2, `classes ${one} and ${other}\n` + digits(v, 3)]);
  }));
  for (let i = 0; i < k; i += k > 60 ? 10 : k > 24 ? 5 : k > 12 ? 2 : 1) {
    const middle = 22 + (i + 0.5) * side;
    words += word(17, middle + 4, shot.k[i], "", "end") + word(middle, 16, shot.k[i], "");
  }
  grid.querySelector(".cells").innerHTML = Object.keys(tones).map((level) => `<path class="${level > 0 ? "warm" : "cold"}" fill-opacity="${abs(level) / 24}" d="${tones[level]}"/>`).join("") + words;
  spots.set(grid, list);
};

const drawSpace = () => {
  const { a, r, k } = shot, scale = 172 / r, pieces = [], list = [], owner = shot.n.flatMap((count, i) => Array(count).fill(i));
  const each = (text, draw) => {
    const flat = decode(text, 4 * r);
    for (let i = 0; i * a < flat.length; i++) {
      let [u, v = 0, w = 0] = flat.slice(i * a, i * a + a), depth = 0;
      if (a > 2) {
        const away = w * cos(yaw) - u * sin(yaw);
        [u, v, depth] = [u * cos(yaw) + w * sin(yaw), v * cos(pitch) - away * sin(pitch), v * sin(pitch) + away * cos(pitch)];
      }
      // unit is the direction on screen, for what stands beside or across an arm
      const x = 172 + scale * u, y = 172 - scale * v, long = hypot(u, v) || 1;
      if (x === x && y === y) pieces.push([depth, draw(i, x, y, u / long, -v / long, long)]);
    }
  };
  each(shot.c, (i, x, y) => {
    if (a < 2) y += (i * 37) % 61 - 30;
    return x > 0 && x < 344 && y > 0 && y < 344 ? `<circle class="dust k${owner[i] % 12}" cx="${x}" cy="${y}" r="1.7"/>` : "";
  });
  pieces.forEach((piece) => { piece[0] -= 99; });
  each(shot.p, (i, x, y, p, q, long) => {
    const left = `${172 + 9 * q} ${172 - 9 * p}`, many = k.length > 30;
    list.push([x, y, `class ${k[i]}\nlength ${digits(long, 2)} in this view`]);
    return `<g class="k${i % 12}">` + (a > 2 ? `<path class="spike" d="M${left}L${x} ${y}L${172 - 9 * q} ${172 + 9 * p}z"/><path class="shade" d="M172 172L${x} ${y}L${left}z"/>` : `<path class="arm" d="M172 172L${x} ${y}"/>`)
      + `<circle class="tip" cx="${x}" cy="${y}" r="${many ? 2.5 : 4}"/>${many ? "" : word(x + 13 * p, y + 13 * q + 4, k[i], "halo")}</g>`;
  });
  each(shot.h, (i, x, y, p, q) => `<path class="arrow" d="M172 172L${x} ${y}M${x - 7 * p + 3.5 * q} ${y - 7 * q - 3.5 * p}L${x} ${y}L${x - 7 * p - 3.5 * q} ${y - 7 * q + 3.5 * p}"/>`);
  sky.querySelector(".space").innerHTML = pieces.sort((one, other) => one[0] - other[0]).map((piece) => piece[1]).join("");
  sky.classList.toggle("turns", a > 2);
  spots.set(sky, list);
};
const rotate = (across, up) => { yaw += across; pitch = max(-1.5, min(1.5, pitch + up)); hush(); drawSpace(); };

if (grid) {
  const step = find("#step"), play = find("#play"), chosen = (id) => +(find(id)?.value ?? 0);
  const update = () => {
    const { steps, splits, shots, words } = explorer, at = chosen("#step");
    shot = shots[(chosen("#layer") * splits + chosen("#split")) * steps.length + at];
    if (step) step.ariaValueText = find("#now").value = steps[at];
    hush();
    find(".pair").hidden = !shot;
    const [title, about, view] = shot ? shot.s.map((index) => words[index]) : ["There is no picture for this choice."];
    find("#chosen").textContent = title;
    if (!shot) return;
    grid.ariaLabel = find("#matrix-says").textContent = about;
    sky.ariaLabel = find("#space-says").textContent = view;
    drawMatrix();
    drawSpace();
  };
  let timer;
  const stop = () => { timer = clearInterval(timer); play.textContent = "▶ Play"; };
  if (play) on(play, "click", () => {
    if (timer) return stop();
    if (step.value === step.max) step.value = 0;
    else step.value++;
    update();
    play.textContent = "◼ Stop";
    timer = setInterval(() => { step.value++; update(); if (step.value === step.max) stop(); }, 600);
  });
  find("#controls").hidden = !find("#controls").children.length;
  on(find("#controls"), "input", update);
  on(sky, "pointerdown", (event) => { if (shot.a > 2) { held = event; sky.setPointerCapture(event.pointerId); } });
  on(sky, "pointermove", (event) => { if (held) { rotate((event.clientX - held.clientX) / 120, (event.clientY - held.clientY) / 120); held = event; } });
  on(sky, "pointerup pointercancel", () => { held = 0; });
  update();
}

// Sorting: numbers by their exact value, missing ones last
all("#ledger th").forEach((head, column) => {
  const button = document.createElement("button");
  button.textContent = head.textContent;
  head.replaceChildren(button);
  on(button, "click", () => {
    const sign = head.ariaSort === "ascending" ? -1 : 1, body = find("#ledger tbody");
    all("#ledger th").forEach((other) => other.removeAttribute("aria-sort"));
    head.ariaSort = sign > 0 ? "ascending" : "descending";
    const key = (row) => { const cell = row.cells[column]; return head.matches(".num") ? +(cell.dataset.v ?? NaN) : cell.textContent; };
    const compare = (one, other) => one.localeCompare ? sign * one.localeCompare(other) : (one !== one) - (other !== other) || sign * (one - other) || 0;
    body.append(...[...body.rows].sort((one, other) => compare(key(one), key(other))));
  });
});

// A link into a folded part unfolds it
const reveal = () => {
  const aim = document.getElementById(decodeURIComponent(location.hash.slice(1))), fold = aim?.closest("details:not([open])");
  if (fold) { fold.open = true; aim.scrollIntoView(); }
};
on(window, "hashchange", reveal);
reveal();

// Paper has no buttons: unfold everything, fold again afterwards
let folded = [];
on(window, "beforeprint", () => { folded = all("details:not([open])"); folded.forEach((one) => { one.open = true; }); });
on(window, "afterprint", () => folded.forEach((one) => { one.open = false; }));
})();
