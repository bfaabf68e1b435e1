// The machine of an exported page: Python as WebAssembly, in a worker of this tab.
const LIMIT = 10_000;
const LATE = 'The run took longer than 10 seconds and was stopped. The program may have an endless loop.';

export function start({said, ready}) {
  let worker, current, timer;
  function launch() {
    worker = new Worker(new URL('worker.mjs', import.meta.url), {type: 'module'});
    worker.onmessage = ({data}) => {
      if (data.said) said(data.said);
      if (data.ready) ready(data.ready);
      if (data.began) timer = setTimeout(() => end(LATE), LIMIT); // loading is no part of the run
      if (data.answer) settle('resolve', data.answer);
      if (data.broken) end(data.broken);
    };
    worker.onerror = ({message}) => said(`The machine cannot start: ${message}`);
  }
  function settle(how, what) {
    clearTimeout(timer);
    const settled = current;
    current = null;
    settled?.[how](what);
  }
  function end(why) { // an endless loop hears no message: only terminate() stops it
    worker.terminate();
    launch();
    settle('reject', new Error(why));
  }
  launch();
  return {
    run: (lesson, settings) => new Promise((resolve, reject) => {
      current = {resolve, reject};
      worker.postMessage({lesson, settings});
    }),
    stop() { if (current) end('The run was stopped.'); },
  };
}
