// The schedules that were tried, and one run step by step: each visitor and its line of the driver.
const VISITORS = ['Anna', 'Ben'];
const STYLE = `
.race .schedules { display: grid; grid-template-columns: repeat(auto-fill, 15px); gap: 3px; max-width: 900px; margin: 8px 0 20px; }
.race .schedules span { height: 15px; border-radius: 3px; background: var(--good-tint); border: 1px solid var(--good); }
.race .schedules .fails { background: var(--bad); border-color: var(--bad); }
.race .steps { display: flex; flex-wrap: wrap; gap: 10px; align-items: center; }
.race .steps p { flex: 1 1 300px; margin: 0; }
.race .lines { border-collapse: collapse; width: max-content; min-width: min(100%, 700px); }
.race .lines td, .race .lines th { border: 0; padding: 2px 8px 2px 0; }
.race .lines td:nth-child(-n+2) { width: 48px; font-weight: 700; }
.race .lines pre { border: 0; padding: 0; margin: 0; background: none; }
.race .lines .now { background: var(--good-tint); }`;

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function schedules({tried, failed}) {
  const squares = Array.from({length: tried}, (_, at) => failed.includes(at + 1)
    ? make('span', {class: 'fails', title: `schedule ${at + 1} fails`}) : make('span', {title: `schedule ${at + 1} holds`}));
  return [make('h2', {}, 'The schedules: each square is a run, a red one fails'),
    make('div', {class: 'schedules', role: 'img', 'aria-label': `Schedules that fail: ${failed.join(', ') || 'none'}`}, ...squares)];
}

function steps(rows, code) {
  const used = rows.map(row => row[2]).filter(Boolean);
  const first = Math.min(...used), last = Math.max(...used);
  const shown = code.slice(first - 1, last).map(line => line.replace(/\s+#.*/, ''));
  const indent = Math.min(...shown.filter(line => line.trim()).map(line => line.search(/\S/)));
  const said = make('p', {role: 'status'});
  const lines = new Map();
  for (let line = first; line <= last; line++)
    lines.set(line, make('tr', {}, make('td', {}), make('td', {}), make('td', {}, make('pre', {}, `${line}  ${shown[line - first].slice(indent)}`))));
  const buttons = ['◂ Back', 'Next step ▸'].map(text => make('button', {type: 'button'}, text));
  let at = 0;
  function go(by) {
    at = Math.max(0, Math.min(rows.length - 1, at + by));
    const [time, who, line, text] = rows[at];
    for (const row of lines.values()) {
      row.className = '';
      VISITORS.forEach((_, column) => { row.children[column].textContent = ''; });
    }
    VISITORS.forEach((name, column) => {
      const latest = rows.slice(0, at + 1).findLast(row => row[1] === name);
      if (latest?.[2]) lines.get(latest[2]).children[column].textContent = name;
    });
    if (line) lines.get(line).className = 'now';
    said.replaceChildren(`Step ${at + 1} of ${rows.length}, ${(time / 1000).toFixed(1)} µs: `, make('b', {}, who),
      line ? ` is at line ${line}` : ` ${text}`, line && text ? `: ${text}.` : '.');
    buttons[0].disabled = at === 0;
    buttons[1].disabled = at === rows.length - 1;
  }
  buttons.forEach((button, index) => { button.onclick = () => go(2 * index - 1); });
  go(0);
  const head = make('tr', {}, ...[...VISITORS, 'driver'].map(name => make('th', {scope: 'col'}, name)));
  return [make('h2', {}, 'Step through it'), make('div', {class: 'steps'}, ...buttons, said),
    make('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'The driver'},
      make('table', {class: 'lines'}, make('thead', {}, head), make('tbody', {}, ...lines.values())))];
}

export function show(root, {metrics, settings}) {
  root.className = 'race';
  const {tried, rows} = metrics;
  root.replaceChildren(make('style', {}, STYLE), ...tried > 1 ? schedules(metrics) : [],
    ...rows?.some(row => row[2]) ? steps(rows, settings.driver.split('\n')) : []);
}
