// Hover, epoch slider, rotation and sorting. Everything it draws lies in the page already.
"use strict";
(() => {
  const find = (query) => document.querySelector(query);
  const all = (query) => [...document.querySelectorAll(query)];
  const { hover, explorer } = JSON.parse(find("#data").textContent);
  const tip = find("#tip");
  const points = new Map();
  let hot, held;

  // --- hover, tap and keyboard: the nearest point of a chart says its value
  const say = (svg, index) => {
    const [x, y, text] = points.get(svg)[index];
    const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
    if (!hot) hot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    Object.entries({ class: "hot", cx: x, cy: y, r: 6 }).forEach((pair) => hot.setAttribute(...pair));
    svg.append(hot);
    tip.textContent = text;
    tip.hidden = false;
    const left = box.left + x * scale - tip.offsetWidth / 2, top = box.top + y * scale - tip.offsetHeight - 12;
    tip.style.left = Math.max(4, Math.min(innerWidth - tip.offsetWidth - 4, left)) + "px";
    tip.style.top = (top < 4 ? box.top + y * scale + 14 : top) + "px";
    svg.at = index;
  };
  const hush = () => { tip.hidden = true; hot && hot.remove(); };
  const nearest = (svg, event) => {
    const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
    const px = (event.clientX - box.left) * scale, py = (event.clientY - box.top) * scale;
    let best = -1, least = 900;
    points.get(svg).forEach(([x, y], i) => {
      const away = (x - px) ** 2 + (y - py) ** 2;
      if (away < least) [best, least] = [i, away];
    });
    return best;
  };
  const charts = all("svg.curves, svg.profile");
  charts.forEach((svg, i) => points.set(svg, hover.charts[i].map(([x, y, where, value]) => [x, y, hover.places[where] + "\n" + value])));
  all("svg.chart").forEach((svg) => {
    const look = (event) => {
      if (held || !points.has(svg)) return;
      const best = nearest(svg, event);
      best < 0 ? hush() : say(svg, best);
    };
    svg.addEventListener("pointermove", look);
    svg.addEventListener("pointerdown", look);
    svg.addEventListener("pointerleave", hush);
    svg.addEventListener("blur", hush);
    svg.addEventListener("keydown", (event) => {
      const turn = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (event.key === "Escape") hush();
      if (!turn || !points.has(svg)) return;
      event.preventDefault();
      if (svg.matches(".turns")) return rotate(...(event.key.length > 8 || event.key[5] === "L" ? [turn * 0.12, 0] : [0, turn * 0.12]));
      const count = points.get(svg).length;
      if (count) say(svg, ((svg.at ?? (turn > 0 ? -1 : 0)) + turn + count) % count);
    });
  });

  // --- class means: 12 bits in two characters; 4095 is "not a number"
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const decode = (text, bound) => {
    const out = [];
    for (let i = 0; i < text.length; i += 2) {
      const code = letters.indexOf(text[i]) * 64 + letters.indexOf(text[i + 1]);
      out.push(code > 4094 ? NaN : (code / 2047 - 1) * bound);
    }
    return out;
  };
  const grid = find("svg.matrix"), sky = find("svg.constellation");
  let shot, yaw = 0.55, pitch = 0.3;
  const minus = (text) => text.replace("-", "−");
  const short = (v) => v !== v ? "–" : Math.abs(v) >= 0.995 ? (v > 0 ? "1" : "−1") : Math.abs(v) < 0.005 ? "0" : minus(v.toFixed(2).replace("0.", "."));
  const word = (x, y, text, rest) => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${rest}>${text}</text>`;

  const drawMatrix = () => {
    const k = shot.k.length, side = 320 / k, values = decode(shot.m, 1), tones = {}, spots = [];
    const inner = side > 8 ? side - 1 : side;
    let words = "", next = 0;
    const table = shot.k.map(() => []);
    for (let i = 0; i < k; i++) for (let j = i; j < k; j++) table[i][j] = table[j][i] = i === j ? 1 : values[next++];
    const every = Math.max(1, Math.ceil(k / 12));
    for (let i = 0; i < k; i++) {
      for (let j = 0; j < k; j++) {
        const v = table[i][j], x = 22 + j * side, y = 22 + i * side, level = v !== v ? 0 : Math.sign(v) * Math.round(24 * Math.abs(v) ** 0.7);
        tones[level] = (tones[level] || "") + `M${x.toFixed(2)} ${y.toFixed(2)}h${inner}v${inner}h-${inner}z`;
        if (k <= 12) words += word(x + side / 2, y + side / 2 + 4, short(v), 'class="cell" text-anchor="middle"');
        spots.push([x + side / 2, y + side / 2, `classes ${shot.k[i]} and ${shot.k[j]}\n` + minus(v.toFixed(3))]);
      }
      if (i % every === 0) words += word(17, 26 + (i + 0.5) * side, shot.k[i], 'text-anchor="end"') + word(22 + (i + 0.5) * side, 16, shot.k[i], 'text-anchor="middle"');
    }
    grid.querySelector(".cells").innerHTML = Object.entries(tones).map(([level, d]) => `<path class="${level > 0 ? "warm" : "cold"}" fill-opacity="${Math.abs(level) / 24}" d="${d}"/>`).join("") + words;
    points.set(grid, spots);
  };

  const drawSpace = () => {
    const { a, r, k } = shot, scale = 172 / r, pieces = [], spots = [];
    const place = (p) => {
      if (a < 3) return [172 + scale * p[0], 172 - scale * (p[1] || 0), 0];
      const away = p[2] * Math.cos(yaw) - p[0] * Math.sin(yaw);
      return [172 + scale * (p[0] * Math.cos(yaw) + p[2] * Math.sin(yaw)), 172 - scale * (p[1] * Math.cos(pitch) - away * Math.sin(pitch)), p[1] * Math.sin(pitch) + away * Math.cos(pitch)];
    };
    const each = (text, draw) => {
      const flat = a ? decode(text, 4 * r) : [];
      for (let i = 0; i * a < flat.length; i++) {
        const [x, y, z] = place(flat.slice(i * a, i * a + a));
        if (x === x && y === y) draw(i, x, y, z, Math.hypot(x - 172, y - 172) || 1);
      }
    };
    const owner = shot.n.flatMap((count, i) => Array(count).fill(i));
    each(shot.c, (i, x, y, z) => {
      if (a === 1) y += (i * 37) % 61 - 30;
      if (x > 0 && x < 344 && y > 0 && y < 344) pieces.push([z - 9, `<circle class="dust k${owner[i] % 12}" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="1.7"/>`]);
    });
    each(shot.p, (i, x, y, z, l) => {
      const u = 9 * (172 - y) / l, v = 9 * (x - 172) / l;
      const arm = a === 3 ? `<path class="spike" d="M${172 + u} ${172 + v}L${x} ${y}L${172 - u} ${172 - v}z"/>` : `<path class="arm" d="M172 172L${x} ${y}"/>`;
      const name = k.length > 30 ? "" : word(x + 13 * (x - 172) / l, y + 13 * (y - 172) / l + 4, k[i], 'class="halo" text-anchor="middle"');
      pieces.push([z, `<g class="k${i % 12}">${arm}<circle class="tip" cx="${x}" cy="${y}" r="${k.length > 30 ? 2.5 : 4}"/>${name}</g>`]);
      spots.push([x, y, `class ${k[i]}\nlength ${(l / scale).toFixed(2)} in this view`]);
    });
    each(shot.h, (i, x, y, z) => {
      const turn = Math.atan2(y - 172, x - 172), barb = (side) => `${x - 8 * Math.cos(turn + side)} ${y - 8 * Math.sin(turn + side)}`;
      pieces.push([z + 0.01, `<path class="arrow" d="M172 172L${x} ${y}M${barb(0.45)}L${x} ${y}L${barb(-0.45)}"/>`]);
    });
    sky.querySelector(".space").innerHTML = pieces.sort((one, other) => one[0] - other[0]).map((piece) => piece[1]).join("");
    sky.classList.toggle("turns", a === 3);
    points.set(sky, spots);
  };
  const rotate = (across, up) => { yaw += across; pitch = Math.max(-1.5, Math.min(1.5, pitch + up)); hush(); drawSpace(); };

  if (grid) {
    const chosen = (id, other) => +(find(id)?.value ?? other);
    const controls = find("#controls"), step = find("#step"), play = find("#play");
    const update = () => {
      const t = chosen("#step", 0), now = explorer.steps[t];
      if (step) { find("#now").value = now; step.setAttribute("aria-valuetext", now); }
      shot = explorer.shots[(chosen("#layer", 0) * explorer.splits + chosen("#split", 0)) * explorer.steps.length + t];
      hush();
      find(".pair").hidden = !shot;
      find("#chosen").textContent = shot ? shot.s[0] : "There is no picture for this choice.";
      if (!shot) return;
      find("#matrix-says").textContent = shot.s[1];
      find("#space-says").textContent = shot.s[2];
      grid.setAttribute("aria-label", shot.s[1]);
      sky.setAttribute("aria-label", shot.s[2]);
      drawMatrix();
      drawSpace();
    };
    controls.hidden = !controls.children.length;
    controls.addEventListener("input", update);
    controls.addEventListener("submit", (event) => event.preventDefault());
    let timer;
    const stop = () => { clearInterval(timer); timer = 0; play.textContent = "▶ Play"; };
    play?.addEventListener("click", () => {
      if (timer) return stop();
      if (step.value === step.max) step.value = -1;
      play.textContent = "◼ Stop";
      timer = setInterval(() => { step.value++; update(); step.value === step.max && stop(); }, 600);
    });
    sky.addEventListener("pointerdown", (event) => { if (shot.a === 3) { held = event; sky.setPointerCapture(event.pointerId); } });
    sky.addEventListener("pointermove", (event) => { if (held) { rotate((event.clientX - held.clientX) / 120, (event.clientY - held.clientY) / 120); held = event; } });
    ["pointerup", "pointercancel"].forEach((name) => sky.addEventListener(name, () => { held = null; }));
    update();
  }

  // --- sorting: numbers by their exact value, missing ones last
  all("#ledger th").forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      all("#ledger th").forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down > 0 ? "ascending" : "descending");
      const body = find("#ledger tbody"), numeric = head.matches(".num");
      const key = (row) => numeric ? parseFloat(row.cells[column].dataset.v ?? "NaN") : row.cells[column].textContent;
      const compare = (one, other) => numeric ? (one !== one) - (other !== other) || down * (one - other) : down * one.localeCompare(other);
      body.append(...[...body.rows].sort((one, other) => compare(key(one), key(other)) || 0));
    });
  });

  // --- paper has no buttons: unfold everything, fold again afterwards
  let folded = [];
  addEventListener("beforeprint", () => { folded = all("details:not([open])"); folded.forEach((one) => { one.open = true; }); });
  addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
})();
