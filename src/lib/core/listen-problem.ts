/** Why nothing can listen at an address, in the words that every command uses. */
export function listenProblem(host: string, port: number, cause: unknown): string {
  return `cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}: ${explain(cause)}`;
}

function explain(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return 'the port is in use by another process';
  if (code === 'EACCES') return 'permission denied (ports below 1024 need a privilege)';
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address';
  return message;
}
