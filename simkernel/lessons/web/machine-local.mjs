// The machine of a page that `simkernel lessons` serves: the Python of this computer.
// The server's token arrives once, in the fragment. It stays in this tab and leaves the address bar. A new tab, such as
// that of a link, asks the other tabs of this origin for it.
const KEY = 'simkernel-token';
const WAIT = 300; // ms for the other tabs
const HERE = 'The machine is the Python of this computer.';
const NOT_HERE = 'This tab may not run anything: open the address that `simkernel lessons` has printed.';
const given = new URLSearchParams(location.hash.slice(1)).get('token');
if (given) {
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, '', location.pathname + location.search);
}
let token = sessionStorage.getItem(KEY);
const tabs = new BroadcastChannel(KEY);
const settled = new Promise(resolve => {
  tabs.onmessage = ({data}) => {
    if (data === null && token) tabs.postMessage(token);
    if (data === null || token) return;
    sessionStorage.setItem(KEY, token = data);
    resolve();
  };
  if (token) return resolve();
  tabs.postMessage(null);
  setTimeout(resolve, WAIT);
});

async function post(path, asked) {
  await settled;
  const response = await fetch(new URL(path, import.meta.url), {
    method: 'POST', body: JSON.stringify(asked), headers: {'X-Simkernel-Token': token ?? ''},
  });
  const text = await response.text();
  if (response.status === 403) { // another server has this port now
    sessionStorage.removeItem(KEY);
    token = null;
  }
  if (!response.ok) throw new Error(text);
  return text;
}

export function start({ready}) {
  let current;
  settled.then(() => ready(token ? HERE : NOT_HERE));
  return {
    async run(lesson, settings) {
      current = crypto.randomUUID();
      const text = await post('run', {run: current, lesson, settings});
      const {stopped} = JSON.parse(text);
      if (stopped) throw new Error(stopped);
      return text;
    },
    stop() { post('stop', {run: current}); },
  };
}
