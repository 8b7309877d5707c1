'use strict';
// Starts the project in the working folder as `npm start` would, but without a shell:
// scripts.start of package.json, else server.js, else "main", else index.js.
//
// `node FILE ARGUMENTS` is run by this process itself, so that signals reach it. Other programs run
// as a child, which gets the signals; its end is the end of this process.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const Module = require('node:module');
const os = require('node:os');
const path = require('node:path');

class Refused extends Error {}

/** Splits a command into words as a shell does with quotes; what only a shell can do is refused. */
function words(command) {
  const found = [];
  let word = null;
  let quote = null;
  for (let at = 0; at < command.length; at += 1) {
    const char = command[at];
    const next = command[at + 1];
    const forShell = quote === "'" ? false
      : quote === '"' ? '$`'.includes(char)
      : '$`&|;<>()*?[]{}\n'.includes(char) || ('#~!'.includes(char) && word === null);
    if (forShell) {
      throw new Refused(`\`${char}\` in scripts.start is for a shell, and there is none: ${command}`);
    }
    if (quote !== null && char === quote) {
      quote = null;
    } else if (quote === null && (char === "'" || char === '"')) {
      quote = char;
      word ??= '';
    } else if (char === '\\' && next !== undefined && (quote === null || (quote === '"' && '\\"$`'.includes(next)))) {
      word = (word ?? '') + next;
      at += 1;
    } else if (quote === null && (char === ' ' || char === '\t')) {
      if (word !== null) found.push(word);
      word = null;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== null) throw new Refused(`a ${quote} is not closed in scripts.start: ${command}`);
  if (word !== null) found.push(word);
  return found;
}

/** What package.json says; nothing where there is none. */
function metadata(folder) {
  const file = path.join(folder, 'package.json');
  if (!fs.existsSync(file)) return null;
  try {
    const read = JSON.parse(fs.readFileSync(file, 'utf8'));
    return typeof read === 'object' && read !== null ? read : {};
  } catch (error) {
    throw new Refused(`${file} cannot be read: ${error.message}`);
  }
}

/** The words to run: scripts.start, or node and the file that it would be. */
function command(folder) {
  const about = metadata(folder);
  const start = about?.scripts?.start;
  if (typeof start === 'string' && start.trim() !== '') {
    const left = ['prestart', 'poststart'].filter((name) => about.scripts[name] !== undefined);
    if (left.length > 0) console.error(`start: ${left.join(' and ')} of package.json are not run`);
    return words(start);
  }
  const files = ['server.js', ...(typeof about?.main === 'string' ? [about.main] : []), 'index.js'];
  for (const file of files) {
    try {
      return ['node', require.resolve(path.join(folder, file))];
    } catch {
      // The next one may be there.
    }
  }
  const why = about === null ? 'there is no package.json' : 'package.json has no scripts.start';
  throw new Refused(`${why} in ${folder}, and no ${files.join(' or ')}; ` +
    'put a project there, or give arguments as for node: FILE or -e CODE');
}

/** Whether a program is JavaScript for node. */
function isNodeScript(file) {
  const line = fs.readFileSync(file, 'latin1').slice(0, 200).split('\n', 1)[0];
  return /^#!\s*(\/usr\/bin\/env\s+(-S\s+)?)?(\/usr\/bin\/)?(node|nodejs)\s*$/.test(line);
}

/** Runs a file in this process, as if node had been started with it. */
function become(file, rest) {
  process.argv = [process.execPath, file, ...rest];
  // The first process of a container does not die of a signal that it has no handler for.
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + os.constants.signals[signal]);
    });
  }
  Module.runMain();
}

/** Runs another program, hands on the signals, and ends as it ends. */
function attend(program, rest) {
  const child = spawn(program, rest, { stdio: 'inherit' });
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH']) {
    process.on(signal, () => child.kill(signal));
  }
  child.on('error', (error) => {
    console.error(`start: ${program} cannot be run: ${error.message}`);
    process.exit(127);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + os.constants.signals[signal]));
}

function main() {
  const folder = process.cwd();
  const all = command(folder);
  let sameOptions = true;
  while (all.length > 0 && /^[A-Za-z_][A-Za-z0-9_]*=/.test(all[0])) {
    const [, name, value] = /^([^=]*)=(.*)$/s.exec(all.shift());
    process.env[name] = value;
    // Node itself reads these, when it starts.
    sameOptions &&= !name.startsWith('NODE_') || name === 'NODE_ENV';
  }
  const [program, ...rest] = all;
  if (program === undefined) throw new Refused('scripts.start names no program');
  const bin = path.join(folder, 'node_modules', '.bin');
  process.env.PATH = [bin, process.env.PATH].filter(Boolean).join(path.delimiter);
  const isNode = program === 'node' || program === process.execPath;
  if (isNode && rest.length > 0 && !rest[0].startsWith('-') && sameOptions) {
    return become(path.resolve(folder, rest[0]), rest.slice(1));
  }
  const local = path.join(bin, program);
  if (sameOptions && !program.includes('/') && fs.existsSync(local) && isNodeScript(local)) {
    return become(fs.realpathSync(local), rest);
  }
  return attend(program, rest);
}

try {
  main();
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  console.error(`start: ${error.message}`);
  process.exit(1);
}
