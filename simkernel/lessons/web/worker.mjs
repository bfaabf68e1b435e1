// Python and simkernel in a worker. {lesson, settings} is answered by {answer}, or by {broken} if Python ends.
import {loadPyodide} from './pyodide/pyodide.mjs';
const HOME = '/home/pyodide';
const say = said => postMessage({said});

async function load() {
  const code = fetch('./machine.zip').then(response => response.arrayBuffer()); // beside Python's own files
  say('Python starts in this tab …');
  const python = await loadPyodide({indexURL: new URL('./pyodide/', import.meta.url).href});
  say('The machine is unpacked …');
  python.unpackArchive(await code, 'zip', {extractDir: HOME});
  say('The machine is switched on …');
  const answer = python.runPython(`
import importlib, json, sys
from pathlib import Path
importlib.invalidate_caches()
from simkernel.lessons import Lesson, answer, linux_names
linux_names.lend()
lambda lesson, settings: answer(Lesson.load(Path("${HOME}/lessons") / lesson), json.loads(settings))
`);
  const version = python.runPython('sys.version.split()[0]');
  postMessage({ready: `The machine is Python ${version} in this tab (Pyodide ${python.version}).`});
  return answer;
}

const machine = load();
machine.catch(error => say(`The machine cannot start: ${error}`));
onmessage = async ({data: {lesson, settings}}) => {
  const answer = await machine;
  postMessage({began: true});
  try {
    postMessage({answer: answer(lesson, JSON.stringify(settings))});
  } catch (error) {
    postMessage({broken: `The code ended the Python process: ${String(error).trim().split('\n').at(-1)}`});
  }
};
