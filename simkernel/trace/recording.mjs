// Draw a recording (recording.py): the path of one flow through the layers, where its time goes, and the whole run in
// time.  Everything is inside `root`, without ids, so that a page may hold several drawings.

const NS = 'http://www.w3.org/2000/svg';
const LAYERS = ['application', 'kernel', 'driver', 'hardware'];
const BORDERS = ['system calls', 'driver interface', 'bus: registers ↓  interrupts and DMA ↑'];
const CELL = 138, BOX = 48, GAP = 14; // the width of a box with its margin, its height, the distance of two lines
const ZOOMS = 3; // bars at most, each magnifying a part of the one above
const DOMINANT = 0.6; // the part of a bar from which on its longest hop is left out of the next bar
const SHOWN = {queues: 4, rows: 8}; // shown until the reader asks for all
const MOVE = 650, REST = 650; // milliseconds of a hop while playing

const UNITS = [['s', 1e9, 3], ['ms', 1e6, 3], ['µs', 1e3, 2]];
const KINDS = {flows: 'paths', queues: 'queues', rows: 'rows'};

const drawings = new WeakMap();
const still = matchMedia('(prefers-reduced-motion: reduce)');

function make(parent, tag, attributes = {}, text = undefined) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function shape(parent, tag, attributes = {}, text = undefined) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function picture(parent, name, width, height) {
  const svg = shape(parent, 'svg', {viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': name});
  svg.style.height = `${height}px`;
  return svg;
}

function duration(ns) {
  const [unit, size, digits] = UNITS.find(each => ns >= each[1]) ?? ['ns', 1, 0];
  return `${(ns / size).toFixed(digits)} ${unit}`;
}

const bytes = number => `${number.toLocaleString('en')} bytes`;
const capital = text => text.replace(/^(the|interrupt|frame|netlink:) /, word => word[0].toUpperCase() + word.slice(1)); // no name
const fits = (text, width, size) => text.length * size * 0.56 < width;
const isBad = hop => /\b(lost|refuses|E(?!AGAIN)[A-Z]{3,})\b/.test(hop.text);

/** Split a name that is wider than its box at the blank nearest to its middle. */
function lines(name, width, size) {
  if (fits(name, width, size)) return [name];
  const middle = name.length / 2, blanks = [...name.matchAll(/ /g)].map(found => found.index);
  const at = blanks.sort((one, two) => Math.abs(one - middle) - Math.abs(two - middle))[0];
  const parts = at === undefined ? [name] : [name.slice(0, at), name.slice(at + 1)];
  return parts.map(part => (fits(part, width, size) ? part : `${part.slice(0, Math.floor(width / size / 0.56) - 1)}…`));
}

/** Numbers as a list of ranges: "1, 3–6". */
function ranges(numbers) {
  const found = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}

// -- the layers -----------------------------------------------------------------

/** Place the stations of `hops`, in the order of their first hop, in a band for each layer. */
function place(hops, width) {
  const perLine = Math.max(2, Math.min(6, Math.floor((width - 16) / CELL)));
  const bands = [], boxes = new Map();
  let y = 0;
  for (const layer of LAYERS) {
    const names = [...new Set(hops.filter(hop => hop.layer === layer).map(hop => hop.station))];
    const count = Math.ceil(names.length / perLine);
    const height = names.length ? 32 + count * BOX + (count - 1) * GAP + 14 : 32;
    for (const [index, name] of names.entries()) {
      const line = Math.floor(index / perLine);
      const inLine = Math.min(perLine, names.length - line * perLine), cell = (width - 16) / inLine;
      boxes.set(`${layer}/${name}`, {
        name, layer,
        x: 8 + cell * ((index % perLine) + 0.5),
        y: y + 32 + line * (BOX + GAP) + BOX / 2,
        width: Math.min(160, cell - 14),
        line: `${layer} ${line}`,
        column: index % perLine,
      });
    }
    bands.push({layer, y, height});
    y += height + 28;
  }
  return {bands, boxes, height: y - 28};
}

/** The curve from one box to another: an arc above the boxes between them if they are in one line. */
function route(from, to) {
  if (from.line === to.line) {
    const lift = Math.abs(from.column - to.column) > 1 ? BOX / 2 + 24 : 0;
    return `M${from.x} ${from.y}C${from.x} ${from.y - lift} ${to.x} ${to.y - lift} ${to.x} ${to.y}`;
  }
  const middle = (from.y + to.y) / 2;
  return `M${from.x} ${from.y}C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${to.y}`;
}

function drawMap(parent, hops, width) {
  const {bands, boxes, height} = place(hops, width);
  const svg = picture(parent, 'The layers of the machine, and the stations of this path', width, height);
  for (const band of bands) {
    shape(svg, 'rect', {class: `band ${band.layer}`, x: 0, y: band.y, width, height: band.height, rx: 12});
    shape(svg, 'text', {class: `label ${band.layer}`, x: 14, y: band.y + 21}, band.layer.toUpperCase());
    if (band.y) shape(svg, 'line', {class: 'border', x1: 2, x2: width - 2, y1: band.y - 14, y2: band.y - 14});
  }
  const at = hops.map(hop => boxes.get(`${hop.layer}/${hop.station}`));
  const trails = hops.map((hop, index) => {
    if (!index || at[index] === at[index - 1]) return null;
    return shape(svg, 'path', {class: 'trail', d: route(at[index - 1], at[index])});
  });
  for (const [index, text] of BORDERS.entries()) {
    const y = bands[index + 1].y;
    shape(svg, 'rect', {class: 'paper', x: 14, y: y - 23, width: text.length * 5.9 + 10, height: 18});
    shape(svg, 'text', {class: 'small', x: 20, y: y - 10}, text);
  }
  for (const box of boxes.values()) {
    const left = box.x - box.width / 2, top = box.y - BOX / 2;
    const group = box.group = shape(svg, 'g', {class: `box ${box.layer}`});
    shape(group, 'rect', {x: left, y: top, width: box.width, height: BOX, rx: 9});
    const visits = ranges(at.flatMap((each, index) => (each === box ? [index + 1] : [])));
    const name = lines(box.name, box.width - 10, 13.5);
    const below = fits(`hop ${visits}`, box.width - 8, 11.5) && name.length === 1;
    for (const [index, part] of name.entries())
      shape(group, 'text', {x: box.x, y: box.y + 5 + (below ? -8 : (index - (name.length - 1) / 2) * 16)}, part);
    if (below) shape(group, 'text', {class: 'small', x: box.x, y: box.y + 15}, `hop ${visits}`);
    shape(group, 'title', {}, `${box.name}: hop ${visits}`);
  }
  const leg = shape(svg, 'path', {class: 'leg'});
  const token = shape(svg, 'g', {class: 'token'});
  shape(token, 'circle', {r: 9});
  shape(token, 'path', {d: 'M-3.5 -3.5L3.5 3.5M3.5 -3.5L-3.5 3.5'});
  /** Show the token at hop `index`, or on its way to the next one if `part` > 0. */
  return (index, part) => {
    const here = at[index], trail = trails[index + 1];
    const moves = part > 0 && trail;
    for (const box of boxes.values()) box.group.classList.toggle('here', !moves && box === here);
    for (const [number, each] of trails.entries()) each?.classList.toggle('gone', number <= index);
    let point = {x: here.x + here.width / 2 - 3, y: here.y - BOX / 2 + 3};
    leg.setAttribute('d', moves ? trail.getAttribute('d') : '');
    if (moves) {
      const length = leg.getTotalLength();
      leg.setAttribute('stroke-dasharray', `${length * part} ${length}`);
      point = leg.getPointAtLength(length * part);
    }
    token.setAttribute('transform', `translate(${point.x} ${point.y})`);
    token.classList.toggle('bad', isBad(hops[moves ? index + 1 : index]));
  };
}

// -- where the time goes --------------------------------------------------------

/** The parts of a bar that the next bar magnifies: those on the busier side of the longest one, if it dominates. */
function magnified(parts) {
  const all = parts.at(-1).end - parts[0].begin;
  const longest = parts.reduce((one, two) => (two.end - two.begin > one.end - one.begin ? two : one));
  if (longest.end - longest.begin < DOMINANT * all) return [];
  const index = parts.indexOf(longest), before = parts.slice(0, index), after = parts.slice(index + 1);
  const found = before.length > after.length ? before : after;
  return found.length > 1 && all > 5 * (found.at(-1).end - found[0].begin) ? found : [];
}

function drawBars(parent, hops, width) {
  let parts = [];
  for (const [index, hop] of hops.entries()) {
    const before = hops[index - 1] ?? hop;
    const name = before.station === hop.station ? hop.station : `${before.station} → ${hop.station}`;
    if (hop.time > before.time) parts.push({...hop, name, index, begin: before.time, end: hop.time});
  }
  if (!parts.length) return () => {};
  const whole = parts.at(-1).end - parts[0].begin, bars = [];
  while (parts.length && bars.length < ZOOMS) {
    bars.push(parts);
    parts = magnified(parts);
  }
  const svg = picture(parent, `Where the time of this path goes: ${duration(whole)}`, width, bars.length * 82 - 26);
  const marks = new Map();
  for (const [row, bar] of bars.entries()) {
    const begin = bar[0].begin, all = bar.at(-1).end - begin, y = row * 82;
    const x = time => (width * (time - begin)) / all;
    const next = bars[row + 1];
    if (next) {
      const from = x(next[0].begin), to = Math.max(x(next.at(-1).end), from + 2), sum = next.at(-1).end - next[0].begin;
      shape(svg, 'path', {class: 'lens', d: `M${from} ${y + 28}L0 ${y + 82}H${width}L${to} ${y + 28}Z`});
      const hint = `hops ${next[0].index + 1} to ${next.at(-1).index + 1}: ${duration(sum)}, magnified ${Math.round(all / sum).toLocaleString('en')} times`;
      shape(svg, 'text', {class: 'small', x: width / 2, y: y + 70, 'text-anchor': 'middle'}, hint);
    }
    for (const part of bar) {
      const left = x(part.begin), wide = Math.max(x(part.end) - left - 1.5, 0.8), time = duration(part.end - part.begin);
      const rect = shape(svg, 'rect', {class: `part ${part.layer}`, x: left, y, width: wide, height: 28, rx: wide > 8 ? 4 : 0});
      shape(rect, 'title', {}, `hop ${part.index + 1}: ${part.text}, after ${time}`);
      marks.set(part.index, [...(marks.get(part.index) ?? []), rect]);
      const middle = {x: left + wide / 2, 'text-anchor': 'middle'}, long = `${part.name}: ${time}`;
      if (fits(time, wide - 8, 13)) shape(svg, 'text', {class: 'on', ...middle, y: y + 19}, fits(long, wide - 8, 13) ? long : time);
      if (wide > 46) shape(svg, 'text', {class: 'small', ...middle, y: y + 44}, `hop ${part.index + 1}`);
    }
  }
  return index => {
    for (const [number, rects] of marks) for (const rect of rects) rect.classList.toggle('here', number === index);
  };
}

// -- the whole run --------------------------------------------------------------

/** A round step of time that gives at most `most` marks. */
function tick(all, most) {
  const power = 10 ** Math.floor(Math.log10(all / most));
  return [1, 2, 5, 10].map(each => each * power).find(each => all / each <= most);
}

/** Draw the queues and rows between `from` and `to`, with times since `zero`; the result moves the cursor to a time. */
function drawTime(parent, recording, starts, {from, to, zero, width, shown}) {
  const queues = recording.queues.slice(0, shown.queues);
  const busiest = recording.rows.toSorted((one, two) => two.spans.length - one.spans.length).slice(0, shown.rows);
  const rows = recording.rows.filter(row => busiest.includes(row));
  const side = width >= 600, left = side ? 215 : 0, right = width - 8, top = side ? 0 : 18;
  const high = 46 + top, low = 24 + top, first = starts.length > 1 ? 26 + top : 4;
  const height = first + queues.length * (high + 12) + rows.length * low + 26;
  const svg = picture(parent, 'Receive queues in bytes, and when each part of the machine is busy', width, height);
  const x = time => left + ((right - left) * (Math.min(Math.max(time, from), to) - from)) / (to - from);
  const seen = time => time >= from && time <= to;
  const step = tick(to - from, Math.max(2, Math.floor((right - left) / 110)));
  const [unit, size] = UNITS.find(each => to - zero >= each[1]) ?? ['ns', 1];
  for (let time = zero + Math.ceil((from - zero) / step) * step; time <= to; time += step) {
    shape(svg, 'line', {class: 'grid', x1: x(time), x2: x(time), y1: 0, y2: height - 20});
    const anchor = x(time) > right - 40 ? 'end' : x(time) < left + 30 ? 'start' : 'middle';
    shape(svg, 'text', {class: 'small', x: x(time), y: height - 6, 'text-anchor': anchor}, `${+((time - zero) / size).toFixed(3)} ${unit}`);
  }
  const label = (text, y, layer) => shape(svg, 'text', {class: `name ${layer}`, x: 0, y}, fits(text, side ? 208 : width, 13) ? text : `${text.slice(0, 27)}…`);
  if (starts.length > 1) {
    label('paths to follow', side ? 15 : 12, '');
    for (const start of starts.filter(each => seen(each.time))) {
      const mark = shape(svg, 'circle', {class: `start${start.here ? ' here' : ''}`, cx: x(start.time), cy: top + 11, r: start.here ? 6 : 4});
      shape(mark, 'title', {}, start.name);
      mark.addEventListener('click', start.choose);
    }
  }
  const levels = [];
  let y = first;
  for (const queue of queues) {
    const base = y + high, highest = Math.max(...queue.points.map(point => point[1]));
    const most = Math.max(queue.limit, highest, 1);
    const scale = highest < most / 4 && !queue.lost.length ? 2 * Math.max(highest, 1) : most; // half the height: not full
    const level = size => base - 42 * Math.min(1, size / scale);
    label(queue.name, side ? base - 26 : y + 12, 'kernel');
    const small = {class: 'small', x: side ? 0 : width, 'text-anchor': side ? 'start' : 'end'};
    const text = shape(svg, 'text', {...small, y: side ? base - 11 : y + 12});
    if (side) shape(svg, 'text', {...small, y: base + 3}, `at most ${bytes(highest)}`);
    let path = `M${x(from)} ${base}`, size = 0, pixel = -1;
    for (const [time, bytes] of queue.points) {
      if (time > to) break;
      if (time >= from) path += `L${x(time)} ${level(size)}L${x(time)} ${level(bytes)}`;
      size = bytes;
      if (time < from) path = `M${x(from)} ${base}L${x(from)} ${level(size)}`;
    }
    shape(svg, 'path', {class: 'fill', d: `${path}L${x(to)} ${level(size)}L${x(to)} ${base}Z`});
    if (scale === most) shape(svg, 'line', {class: 'limit', x1: left, x2: right, y1: level(queue.limit), y2: level(queue.limit)});
    let crosses = '';
    for (const time of queue.lost.filter(seen)) {
      if (x(time) - pixel < 2) continue;
      pixel = x(time);
      crosses += `M${pixel - 4} ${base - 50}l8 8m0 -8l-8 8`;
    }
    shape(svg, 'path', {class: 'lost', d: crosses});
    levels.push(time => {
      const size = queue.points.findLast(point => point[0] <= time)?.[1] ?? 0;
      text.textContent = `${size.toLocaleString('en')} of ${bytes(queue.limit)}`;
    });
    y = base + 12;
  }
  for (const row of rows) {
    label(row.name, side ? y + 16 : y + 12, row.layer);
    for (const brief of [true, false]) { // spans of less than a pixel are pale, so that many of them look like few
      let path = '', end = -9;
      for (const [begin, until] of row.spans) {
        const left = Math.max(x(begin), end), right = Math.max(x(until), x(begin) + 1.2);
        if (until < from || begin > to || x(until) - x(begin) < 1.2 !== brief || right <= end) continue;
        path += `M${left} ${y + top + 3}H${right}v16H${left}Z`;
        end = right;
      }
      shape(svg, 'path', {class: `part ${row.layer}${brief ? ' brief' : ''}`, d: path});
    }
    y += low;
  }
  const cursor = shape(svg, 'line', {class: 'cursor', y1: 0, y2: height - 20});
  return time => {
    cursor.setAttribute('x1', x(time));
    cursor.setAttribute('x2', x(time));
    cursor.style.visibility = seen(time) ? 'visible' : 'hidden';
    for (const show of levels) show(time);
  };
}

// -- all of it ------------------------------------------------------------------

const asHop = ([time, layer, station, text, count]) => ({time, layer, station, text, count});

/**
 * Draw a recording inside `root`, in place of an earlier one.
 *
 * follow: [{name, flow}], the paths to offer; by default every flow of the recording.
 * chosen: the flow to show first.
 * Returns {choose}: choose(flow) shows another path.
 */
export function draw(root, recording, {follow = [], chosen} = {}) {
  const earlier = drawings.get(root);
  earlier?.stop.abort();
  const stop = new AbortController(), {signal} = stop;

  const names = new Map(follow.map(each => [each.flow, each.name]));
  const flows = recording.flows
    .map(({flow, hops}) => ({flow, hops: hops.map(asHop)}))
    .filter(({flow, hops}) => hops.length && (!names.size || names.has(flow)));
  for (const each of flows)
    each.name = names.get(each.flow) ?? `${duration(each.hops[0].time)}: ${each.hops[0].text}`;
  const wanted = chosen ?? follow.find(each => each.chosen)?.flow ?? recording.typical;
  let path = flows.find(each => each.flow === wanted) ?? flows[0];
  const shown = earlier?.shown ?? {...SHOWN, whole: flows.length !== 1};
  drawings.set(root, {stop, shown});
  let at = 0, playing = false, timer = 0, frame = 0;
  let showMap = () => {}, showBars = () => {}, showTime = () => {};

  root.replaceChildren();
  root.classList.add('recording');
  const stage = make(root, 'div', {class: 'stage'}), map = make(stage, 'div', {class: 'map'});
  const transport = make(stage, 'div', {class: 'transport', role: 'group', 'aria-label': 'Move along the path'});
  const side = make(stage, 'div', {class: 'side'});
  const select = flows.length > 1 ? make(make(side, 'label', {}, 'Follow '), 'select') : null;
  for (const each of select ? flows : []) make(select, 'option', {value: each.flow}, each.name);
  const clock = make(side, 'p', {class: 'clock'}), sentence = make(side, 'p', {class: 'sentence', 'aria-live': 'polite'});
  const list = make(side, 'ol', {class: 'hops', 'aria-label': 'Hops of this path'});
  const button = (text, label, act, parent = transport) => {
    const found = make(parent, 'button', {type: 'button', ...(label && {'aria-label': label})}, text);
    found.addEventListener('click', act);
    return found;
  };
  button('◂', 'Previous hop', () => rest(Math.ceil(at) - 1));
  const play = button('▶', 'Play', () => (playing ? rest(Math.round(at)) : start()));
  play.className = 'play';
  button('▸', 'Next hop', () => { pause(); move(); });
  const scrub = make(transport, 'input', {type: 'range', min: 0, step: 1, 'aria-label': 'Hop'});
  scrub.addEventListener('input', () => rest(+scrub.value));
  const bars = make(root, 'figure', {class: 'bars'}), total = make(bars, 'figcaption'), strip = make(bars, 'div');
  const time = make(root, 'figure', {class: 'time'});

  const last = () => path.hops.length - 1;
  function pause() {
    playing = false;
    clearTimeout(timer);
    cancelAnimationFrame(frame);
    play.textContent = '▶';
    play.setAttribute('aria-label', 'Play');
  }
  function rest(hop) {
    pause();
    go(hop);
  }
  function start() {
    if (at >= last()) go(0);
    playing = true;
    play.textContent = '❚❚';
    play.setAttribute('aria-label', 'Pause');
    move();
  }
  /** Let the token go to the next hop, and on from there while playing. */
  function move() {
    const from = Math.floor(at), begun = performance.now();
    const arrive = () => {
      go(from + 1);
      if (playing && at < last()) timer = setTimeout(move, still.matches ? MOVE + REST : REST);
      else pause();
    };
    const tick = now => {
      const part = Math.max(0, now - begun) / MOVE;
      if (signal.aborted) return;
      if (part >= 1 || still.matches || from >= last()) return arrive();
      go(from + part * part * (3 - 2 * part));
      frame = requestAnimationFrame(tick);
    };
    tick(begun);
  }
  function go(to) {
    at = Math.max(0, Math.min(last(), to));
    const index = Math.floor(at), part = at - index, hop = path.hops[index], next = path.hops[index + 1];
    const now = hop.time + (next ? part * (next.time - hop.time) : 0);
    showMap(index, part);
    showBars(index);
    showTime(now);
    clock.textContent = duration(now - path.hops[0].time);
    const text = `${capital(hop.text)}${hop.count > 1 ? ` (${hop.count} times)` : ''}.`;
    if (sentence.textContent !== text) sentence.textContent = text;
    scrub.value = index;
    scrub.setAttribute('aria-valuetext', `hop ${index + 1} of ${last() + 1}: ${hop.text}`);
    for (const [number, item] of [...list.children].entries())
      if (number === index) item.setAttribute('aria-current', 'step');
      else item.removeAttribute('aria-current');
    const item = list.children[index];
    list.scrollTop = item.offsetTop - list.offsetTop - list.clientHeight / 2;
  }
  /** Draw what depends on the path or on the width. */
  function render() {
    if (!root.clientWidth) return;
    const drawn = recording.queues.length + recording.rows.length > 0;
    if (path) {
      map.replaceChildren();
      showMap = drawMap(map, path.hops, map.clientWidth);
      strip.replaceChildren();
      showBars = drawBars(strip, path.hops, strip.clientWidth);
    }
    plot.replaceChildren();
    if (drawn) {
      const first = path?.hops[0].time ?? 0, end = path?.hops.at(-1).time ?? 0, margin = Math.max(1, (end - first) * 0.05);
      const reach = shown.whole || !path ? [0, Math.max(1, recording.end)] : [Math.max(0, first - margin), end + margin];
      const starts = flows.map(each => ({
        name: each.name, time: each.hops[0].time, here: each === path, choose: () => choose(each.flow),
      }));
      showTime = drawTime(plot, recording, starts, {from: reach[0], to: reach[1], zero: shown.whole ? 0 : first, width: plot.clientWidth, shown});
    }
    if (path) go(at);
  }
  function choose(flow) {
    pause();
    path = flows.find(each => each.flow === flow) ?? path;
    if (select) select.value = path.flow;
    at = 0;
    scrub.max = last();
    list.replaceChildren();
    for (const [index, hop] of path.hops.entries()) {
      const item = make(make(list, 'li', {class: hop.layer}), 'button', {type: 'button'});
      const times = hop.count > 1 ? ` (${hop.count} times)` : '';
      make(item, 'span', {class: 'number'}, index + 1);
      make(item, 'span', {}, capital(hop.text) + times);
      make(item, 'span', {class: 'later'}, index ? `+${duration(hop.time - path.hops[index - 1].time)}` : '');
      item.addEventListener('click', () => rest(index));
    }
    const all = duration(path.hops.at(-1).time - path.hops[0].time);
    bars.hidden = path.hops.at(-1).time === path.hops[0].time;
    total.textContent = `Where the time of this path goes: ${all} in all`;
    render();
  }

  const heading = make(time, 'figcaption', {}, 'The run in time');
  const plot = make(time, 'div');
  const toggle = (text, pressed, act) => {
    const found = button(text, '', () => {
      act();
      for (const each of heading.querySelectorAll('button')) each.setAttribute('aria-pressed', each.pressed());
      render();
    }, heading);
    found.pressed = pressed;
    found.setAttribute('aria-pressed', pressed());
  };
  if (path) {
    toggle('Whole run', () => shown.whole, () => { shown.whole = true; });
    toggle('This path only', () => !shown.whole, () => { shown.whole = false; });
  }
  const {queues, rows} = recording;
  if (queues.length > SHOWN.queues || rows.length > SHOWN.rows) {
    const all = () => shown.queues > SHOWN.queues;
    toggle('All rows', all, () => Object.assign(shown, all() ? SHOWN : {queues: 99, rows: 99}));
  }
  const lost = queues.some(queue => queue.lost.length) ? '✕ a message is lost: the queue is full, or not yet empty after that. ' : '';
  const left = Object.entries(recording.left_out ?? {})
    .filter(([what, count]) => count && !(what === 'flows' && names.size))
    .map(([what, count]) => `${count} ${KINDS[what]}`);
  make(time, 'p', {class: 'legend'}, `${lost}The line shows the moment of the hop above. Pale stripes are shorter than they look.${left.length ? ` Not shown: ${left.join(', ')}.` : ''}`);
  if (path) choose(path.flow);
  else {
    stage.replaceChildren();
    bars.remove();
    make(stage, 'p', {class: 'sentence'}, 'There is no path to follow: in this run no program asks the kernel, and no device reports.');
    render();
  }
  time.hidden = !queues.length && !rows.length;
  select?.addEventListener('change', () => choose(+select.value));
  let width = root.clientWidth;
  const observer = new ResizeObserver(() => {
    if (root.clientWidth !== width) { width = root.clientWidth; render(); }
  });
  observer.observe(root);
  signal.addEventListener('abort', () => { pause(); observer.disconnect(); });
  return {choose};
}
