/** Before all tests: compiles the program once, because worker threads and child processes run what users run, `dist/`. */
import { execFileSync } from 'node:child_process';

export default function setup(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
}
