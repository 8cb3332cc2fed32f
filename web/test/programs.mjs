// Starts livemap's own programs for a test and ends them again.
import { execFileSync, spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How long a program may take to listen, in milliseconds. */
const START_MS = 120_000;

/** A free port of the loopback. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** The binary and a folder for what it writes. Everything that was started ends with close. */
export class Programs {
  dir = mkdtempSync(join(tmpdir(), 'livemap-web-'));
  #running = new Set();

  constructor() {
    this.binary = process.env.LIVEMAP ?? this.path('livemap');
    if (!process.env.LIVEMAP) execFileSync('go', ['build', '-o', this.binary, './cmd/livemap'], { cwd: fileURLToPath(new URL('../..', import.meta.url)), stdio: 'inherit' });
  }

  /** The path of a file in the folder. */
  path(name) {
    return join(this.dir, name);
  }

  /** Starts `livemap ARGS`; resolves once the port is open, where one is given. */
  async start(args, port) {
    const log = createWriteStream(this.path(`${args[0]}.log`), { flags: 'a' });
    const child = spawn(this.binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const out of [child.stdout, child.stderr]) out.pipe(log, { end: false });
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => (this.#running.delete(program), resolve(signal ?? code))));
    const program = {
      pid: child.pid,
      /** Resolves when the program has ended by itself. */
      ended,
      /** Sends a signal and resolves when the program has ended. */
      end: (signal = 'SIGTERM') => (child.kill(signal), ended),
    };
    this.#running.add(program);
    if (port !== undefined) await this.#listening(port, ended, args);
    return program;
  }

  async #listening(port, ended, args) {
    let over;
    void ended.then((how) => (over = how));
    for (const from = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      if (over !== undefined) throw new Error(`livemap ${args[0]} ended with ${over}: ${readFileSync(this.path(`${args[0]}.log`), 'utf8').slice(-2_000)}`);
      if (Date.now() - from > START_MS) throw new Error(`livemap ${args[0]} does not listen on ${port}`);
      const open = await new Promise((resolve) => {
        const socket = connect(port, '127.0.0.1', () => (socket.destroy(), resolve(true)));
        socket.on('error', () => resolve(false));
      });
      if (open) return;
    }
  }

  async close() {
    await Promise.all([...this.#running].map((program) => program.end('SIGKILL')));
    rmSync(this.dir, { recursive: true });
  }
}
