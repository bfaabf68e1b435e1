// The machine of a page that `simkernel lessons` serves: the Python of this computer.
// The server's token arrives once, in the fragment. It stays in this tab and leaves the address bar.
const KEY = 'simkernel-token';
const given = new URLSearchParams(location.hash.slice(1)).get('token');
if (given) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, '', location.pathname + location.search);
}

export function start({ready}) {
  const post = (path, asked) => fetch(new URL(path, import.meta.url), {
    method: 'POST', body: JSON.stringify(asked),
    headers: {'X-Simkernel-Token': sessionStorage.getItem(KEY)},
  });
  let current;
  ready(sessionStorage.getItem(KEY)
    ? 'The machine is the Python of this computer.'
    : 'This tab may not run anything: open the address that `simkernel lessons` has printed.');
  return {
    async run(lesson, settings) {
      current = crypto.randomUUID();
      const response = await post('run', {run: current, lesson, settings});
      const text = await response.text();
      if (!response.ok) throw new Error(text);
      const {stopped} = JSON.parse(text);
      if (stopped) throw new Error(stopped);
      return text;
    },
    stop() { post('stop', {run: current}); },
  };
}
