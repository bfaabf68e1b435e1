// Draws a dot for each greeting.
export function show(root, {metrics}) {
  root.textContent = '• '.repeat(metrics.greetings ?? 0);
}
