// A lesson's page: its controls are settings, the machine runs with them, and its sections show the answer.
import {start} from './machine.mjs';
import {draw} from './recording.mjs';

const NAME = decodeURIComponent(new URL('.', location).pathname.split('/').at(-2));
const LONGEST = 4000; // bytes of a text in the address; a longer one stays in this tab
const IN_TAB = '~';
const PAUSE = 60; // ms from the last movement of a slider to the run
const article = document.querySelector('article');
const view = name => article.querySelector(`[data-view="${name}"]`);
const form = article.querySelector('form.controls');
const fields = [...form?.elements ?? []].filter(field => field.name);
const button = what => form?.querySelector(`[data-do="${what}"]`);
const said = text => { document.getElementById('status').textContent = text; };

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// ---- settings ---------------------------------------------------------------
const value = field => field.type === 'checkbox' ? String(field.checked) : field.value;
const initial = field => field.type === 'checkbox' ? String(field.defaultChecked)
  : field.options ? [...field.options].find(option => option.defaultSelected).value : field.defaultValue;
const changed = () => fields.filter(field => value(field) !== initial(field));
const settings = () => Object.fromEntries(changed().map(field => [field.name, value(field)]));

function set(field, text) {
  if (field.type === 'checkbox') field.checked = text === 'true'; else field.value = text;
  label(field);
}
function label(field) {
  const output = form.querySelector(`output[for="${field.id}"]`);
  if (output) output.textContent = (+field.value).toLocaleString('en') + output.dataset.unit;
}
function save() {
  const query = new URLSearchParams();
  let kept = false;
  for (const [name, text] of Object.entries(settings())) {
    const long = new TextEncoder().encode(text).length > LONGEST;
    if (long) sessionStorage.setItem(`${NAME}.${name}`, text);
    query.set(name, long ? IN_TAB : text);
    kept ||= long;
  }
  form.querySelector('.note')?.remove();
  if (kept) form.append(make('p', {class: 'note'}, 'This code is too long for the address. It stays in this tab, and a link to this page does not carry it.'));
  history.replaceState(null, '', location.pathname + (query.size ? `?${query}` : ''));
}
function restore() {
  const query = new URLSearchParams(location.search);
  for (const field of fields) {
    const text = query.get(field.name);
    set(field, text === null ? initial(field) : text === IN_TAB ? sessionStorage.getItem(`${NAME}.${field.name}`) ?? initial(field) : text);
  }
}

// ---- the answer -------------------------------------------------------------
function part({kind, text, title, columns, rows}) {
  if (kind === 'text') return make(text.includes('\n') ? 'pre' : 'p', text.includes('\n') ? {tabindex: 0} : {}, text);
  const number = columns.map((_, at) => rows.every(row => /^[-+]?[\d.,]*\s?%?$/.test(row[at] ?? '')));
  const cells = (tag, texts) => make('tr', {}, ...texts.map((text, at) =>
    make(tag, {...tag === 'th' && {scope: 'col'}, ...number[at] && {class: 'number'}}, text ?? '')));
  const table = make('table', {}, make('caption', {}, title), make('thead', {}, cells('th', columns)),
    make('tbody', {}, ...rows.map(row => cells('td', row))));
  return make('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': title}, table);
}
const details = (title, ...children) => make('details', {}, make('summary', {}, title), ...children);
const lines = text => make('pre', {tabindex: 0}, text);

function show(result) {
  const {texts, printed, error, goal, log, recording, follow} = result;
  const more = texts.filter(each => each.detail);
  view('answer')?.replaceChildren(
    ...error ? [make('p', {class: 'error', role: 'alert'}, error)] : [],
    ...texts.filter(each => !each.detail).map(part),
    ...printed ? [make('h2', {}, 'What the program prints'), lines(printed)] : [],
    ...more.length ? [details('More about this run', ...more.map(part))] : []);
  const root = view('recording');
  if (root && !(root.hidden = !recording?.flows.length)) draw(root, recording, {follow});
  view('log')?.replaceChildren(...log.length ? [details(`The kernel log (${log.length} lines)`, lines(log.join('\n')))] : []);
  const reached = view('goal')?.querySelector('.reached') ?? view('goal')?.appendChild(make('p', {class: 'reached', role: 'status'}));
  if (reached) {
    reached.dataset.reached = String(goal?.reached ?? false);
    reached.textContent = goal ? `${goal.reached ? '✓ Goal reached' : '○ Not reached yet'}: ${goal.text}` : '';
  }
  if (view('own')) import(new URL('view.mjs', location)).then(own => own.show(view('own'), result));
}

// ---- the machine ------------------------------------------------------------
let machine, info = '', running = false, wanted = null, timer;

async function run() {
  save();
  wanted = settings();
  if (running) return;
  running = true;
  const late = setTimeout(() => { button('stop').hidden = false; said('The machine runs …'); }, 400);
  while (wanted) {
    const asked = wanted, begun = performance.now();
    wanted = null;
    try {
      const result = JSON.parse(await machine.run(NAME, asked));
      show(result);
      said(`${info} It ran ${((result.recording?.end ?? 0) / 1e9).toFixed(3)} simulated seconds in ${Math.round(performance.now() - begun)} ms.`);
    } catch (error) {
      view('answer')?.replaceChildren(make('p', {class: 'error', role: 'alert'}, error.message));
      said(`${info} ${error.message}`);
    }
  }
  clearTimeout(late);
  if (document.activeElement === button('stop')) button('reset').focus();
  button('stop').hidden = true;
  running = false;
  document.body.dataset.runs = +(document.body.dataset.runs ?? 0) + 1;
}

// ---- the guess --------------------------------------------------------------
const guess = article.querySelector('form.guess');
if (guess) {
  const verdict = make('p', {class: 'verdict', role: 'status'});
  const confirm = make('button', {type: 'submit', disabled: ''}, 'Let the machine answer');
  guess.querySelector('fieldset').append(confirm);
  guess.append(verdict);
  const because = guess.querySelector('.because');
  if (because) guess.append(because);
  guess.onchange = () => { confirm.disabled = false; };
  guess.onsubmit = event => {
    event.preventDefault();
    const right = 'right' in guess.querySelector(':checked').dataset;
    for (const option of guess.querySelectorAll('[data-right]')) option.closest('label').classList.add('right');
    verdict.textContent = right ? '✓ Your guess is right.' : 'The machine does something else: see the marked answer.';
    if (because) because.hidden = false;
    const query = new URLSearchParams(guess.dataset.set);
    for (const field of fields) if (query.has(field.name)) set(field, query.get(field.name));
    run();
  };
}

// ---- begin ------------------------------------------------------------------
if (form) {
  restore();
  form.oninput = ({target}) => {
    label(target);
    if (target.type !== 'text' && !target.matches('textarea')) {
      clearTimeout(timer);
      timer = setTimeout(run, PAUSE);
    }
  };
  form.onsubmit = event => { event.preventDefault(); run(); };
  form.onkeydown = event => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) run(); };
  button('reset').onclick = () => { form.reset(); fields.forEach(label); run(); };
  button('stop').onclick = () => machine.stop();
}
show(await (await fetch('default.json')).json());
document.body.dataset.painted = true;
machine = start({said, ready: text => {
  info = text;
  if (!running) said(`${text} The answer above is its default run.`);
  document.body.dataset.ready = true;
}});
if (changed().length) run();
