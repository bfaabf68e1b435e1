// The bytes of the request and of its answer, in boxes of one field each.
const STYLE = `
[data-view="own"] .parts { display: flex; flex-wrap: wrap; gap: 14px 18px; }
[data-view="own"] .parts section { border-top: 4px solid var(--tone); padding-top: 4px; min-width: 0; }
[data-view="own"] .parts h3 { font-size: 15px; font-weight: 600; margin: 0 0 4px; color: var(--soft); }
[data-view="own"] .fields { display: flex; flex-wrap: wrap; gap: 6px; list-style: none; margin: 0; padding: 0; }
[data-view="own"] .fields li { border: 1px solid var(--line); border-radius: 8px; background: var(--card); padding: 4px 8px; max-width: 22ch; }
[data-view="own"] .fields code { display: block; font-weight: 600; overflow-wrap: anywhere; }
[data-view="own"] .fields span { display: block; font-size: 14px; line-height: 1.35; color: var(--soft); }
[data-view="own"] .fields .marked { border: 2px solid var(--bad); background: var(--bad-tint); }
[data-view="own"] .fields .marked b { color: var(--bad); font-size: 14px; }`;
const PARTS = [[0, 'netlink header', 'var(--link)'], [16, 'generic netlink header', 'var(--accent)'], [20, 'attributes', 'var(--good)']];
const MOST = 16; // bytes of a field that are written out

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function box([, bytes, meaning], marked) {
  const all = bytes.split(' ');
  const text = all.length > 4 && all.slice(0, -1).every(byte => byte >= '20' && byte < '7f') && all.at(-1) === '00';
  const shown = all.slice(0, MOST).join(' ') + (all.length > MOST ? ` … ${all.length} bytes` : '');
  const item = make('li', marked ? 'marked' : '', make('code', '', shown));
  if (text) item.append(make('span', '', `“${String.fromCharCode(...all.slice(0, -1).map(byte => parseInt(byte, 16)))}”`));
  item.append(make('span', '', meaning));
  if (marked) item.append(make('b', '', '✗ this one is wrong'));
  return item;
}

function message(title, rows, parts, marked) {
  const sections = parts.map(([begin, name, tone], at) => {
    const end = parts[at + 1]?.[0] ?? Infinity;
    const section = make('section', '', make('h3', '', name),
      make('ul', 'fields', ...rows.filter(([offset]) => offset >= begin && offset < end)
        .map(row => box(row, row[0] === marked))));
    section.style.setProperty('--tone', tone);
    return section;
  });
  const filled = sections.filter(section => section.querySelector('li'));
  return [make('h2', '', title), make('div', 'parts', ...filled)];
}

export function show(root, {texts, metrics}) {
  const rows = title => texts.find(each => each.title === title)?.rows ?? [];
  const answer = rows('The answer');
  if (!texts.length) return root.replaceChildren();
  const explanation = answer.find(([, , field]) => field.startsWith('attribute'))?.[0] ?? Infinity;
  const error = [PARTS[0], [16, 'error', 'var(--bad)'], [explanation, 'explanation (extack)', 'var(--bad)']];
  root.replaceChildren(make('style', '', STYLE), ...message('The bytes that are sent', rows('The request'), PARTS, metrics.marked),
    ...message('The bytes that come back', answer, metrics.failure ? error : PARTS), ...answer.length ? [] : [make('p', '', 'None.')]);
}
