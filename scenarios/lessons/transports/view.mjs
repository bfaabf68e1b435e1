// Bars of the time that each transport takes, and a chart of the sizes that were tried on this page.
const SVG = 'http://www.w3.org/2000/svg';
const STYLE = `
[data-view="own"] .bars { display: grid; grid-template-columns: max-content 1fr; gap: 4px 12px; align-items: center; margin: 0 0 20px; }
[data-view="own"] .bars dt { font-weight: 600; } [data-view="own"] .bars dd { margin: 0; min-width: 0; }
[data-view="own"] .bars i { display: block; height: 14px; border-radius: 4px; background: var(--link); min-width: 3px; }
[data-view="own"] .bars .first i { background: var(--good); } [data-view="own"] .bars .mmap i { background: var(--accent); }
[data-view="own"] .bars span { font-size: 15px; color: var(--soft); }
[data-view="own"] .tried { display: block; max-width: 100%; }
[data-view="own"] .tried text { font-size: 13px; fill: var(--ink); } [data-view="own"] .tried path { fill: none; stroke-width: 2.5; } [data-view="own"] .tried line { stroke: var(--line); }`;
const SIZES = [16, 64, 256, 1024, 4096, 16384, 65536];
const CURVES = {netlink: 'var(--soft)', ioctl: 'var(--link)', read: 'var(--good)', mmap: 'var(--accent)'};
const tried = new Map(); // number of questions -> size -> times by transport

const count = value => value.toLocaleString('en');
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}
function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function bars(title, transports, longest) {
  const least = Math.min(...transports.filter(([, row]) => row.length).map(([, [time]]) => time));
  const rows = transports.flatMap(([name, [time, calls, copied]]) => {
    const bar = make('i', '');
    bar.style.width = `${100 * (time ?? 0) / longest}%`;
    const about = time === undefined ? 'too large for it' : `${count(time)} ns, ${calls} system call${calls === 1 ? '' : 's'}, ${count(copied)} bytes copied`;
    const cell = make('dd', `${time === least ? 'first ' : ''}${name}`, ...time === undefined ? [] : [bar], make('span', '', about + (time === least ? ' — the fastest' : '')));
    return [make('dt', '', name), cell];
  });
  return [make('h3', '', title), make('dl', 'bars', ...rows)];
}

function chart(number, width) {
  const sizes = tried.get(number), times = [...sizes.values()].flatMap(each => Object.keys(CURVES).map(name => each[name][0]));
  const [low, high] = [Math.log(Math.min(...times) * .8), Math.log(Math.max(...times) * 1.25)];
  const x = size => 55 + (width - 135) * SIZES.indexOf(size) / (SIZES.length - 1), y = time => 250 - 225 * (Math.log(time) - low) / (high - low);
  const svg = draw('svg', {class: 'tried', width, viewBox: `0 0 ${width} 300`, role: 'img', 'aria-label': `Time against size, for the ${sizes.size} sizes tried so far`});
  for (const size of SIZES) svg.append(draw('line', {x1: x(size), x2: x(size), y1: 20, y2: 255}), draw('text', {x: x(size), y: 275, 'text-anchor': 'middle'}, size < 1024 ? size : `${size / 1024} Ki`));
  svg.append(draw('text', {x: width / 2, y: 295, 'text-anchor': 'middle'}, 'bytes of the question; 1 Ki is 1024'));
  for (const time of [100, 1000, 10000, 100000].filter(each => each > Math.exp(low) && each < Math.exp(high))) {
    svg.append(draw('line', {x1: 55, x2: width - 80, y1: y(time), y2: y(time)}), draw('text', {x: 48, y: y(time) + 4, 'text-anchor': 'end'}, `${time / 1000} µs`));
  }
  const tags = [];
  for (const [name, colour] of Object.entries(CURVES)) {
    const points = [...sizes].sort(([a], [b]) => a - b).map(([size, each]) => [x(size), y(each[name][0])]);
    svg.append(draw('path', {d: `M${points.join('L')}`, style: `stroke: ${colour}`}),
      ...points.map(([cx, cy]) => draw('circle', {cx, cy, r: 4.5, style: `fill: ${colour}`})));
    tags.push([points.at(-1), name, colour]);
  }
  let last = -Infinity; // labels below each other, never on top
  for (const [[px, py], name, colour] of tags.sort(([[, a]], [[, b]]) => a - b)) {
    last = Math.max(py + 4, last + 15);
    svg.append(draw('text', {x: px + 9, y: last, style: `fill: ${colour}; font-weight: 600`}, name));
  }
  return svg;
}

export function show(root, {metrics, settings}) {
  const {transports} = metrics, number = settings.number, size = +settings.size;
  if (!transports) return;
  if (!tried.has(number)) tried.set(number, new Map());
  tried.get(number).set(size, transports);
  const all = Object.entries(transports), longest = Math.max(...all.map(([, [time]]) => time ?? 0));
  root.replaceChildren(make('style', '', STYLE), make('h2', '', `${count(number)} × ${count(size)} bytes`),
    ...bars('Between a program and the driver', all.slice(0, 5), longest), ...bars('Between two programs', all.slice(5), longest),
    make('h2', '', 'The sizes that you have tried'), chart(number, Math.max(320, Math.min(760, root.clientWidth))));
}
