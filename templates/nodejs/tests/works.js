'use strict';
// Uses what node has in libraries and what needs more than node, each in earnest.

const assert = require('node:assert');

const checks = {
  modules() {
    for (const name of require('node:module').builtinModules) require(name);
  },
  certificates() {
    const tls = require('node:tls');
    assert.ok(tls.rootCertificates.length > 100);
    const bundle = require('node:fs').readFileSync('/etc/ssl/certs/ca-certificates.crt', 'latin1');
    assert.ok(bundle.split('BEGIN CERTIFICATE').length > 100);
  },
  digests() {
    const { createHash, generateKeyPairSync } = require('node:crypto');
    assert.strictEqual(createHash('sha256').update('').digest('hex').slice(0, 8), 'e3b0c442');
    generateKeyPairSync('ec', { namedCurve: 'P-256' });
  },
  compression() {
    const zlib = require('node:zlib');
    for (const kind of ['gzip', 'deflate', 'brotliCompress']) {
      assert.ok(zlib[`${kind}Sync`]('again '.repeat(99)).length < 99);
    }
  },
  locales() {
    assert.strictEqual(new Intl.NumberFormat('de-AT').format(1234.5), '1\u00a0234,5');
    const noon = new Date('2024-07-01T12:00:00Z');
    const zone = { timeZone: 'Europe/Vienna', hour: 'numeric', hourCycle: 'h23' };
    assert.strictEqual(noon.toLocaleString('en-GB', zone), '14');
    assert.ok('é'.localeCompare('f', 'fr') < 0);
  },
  names() {
    const os = require('node:os');
    assert.strictEqual(os.userInfo().username, 'nonroot');
    assert.strictEqual(os.homedir(), '/home/nonroot');
  },
  async modules_of_both_kinds() {
    const fs = require('node:fs/promises');
    const { pathToFileURL } = require('node:url');
    await fs.writeFile('/tmp/one.cjs', 'exports.one = 1;');
    await fs.writeFile('/tmp/two.mjs', 'export { one } from "./one.cjs"; export const two = 2;');
    const { one, two } = await import(pathToFileURL('/tmp/two.mjs'));
    assert.strictEqual(one + two, 3);
  },
  async fetching() {
    const server = require('node:http').createServer((_, answer) => answer.end('served'));
    await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
    const page = await fetch(`http://localhost:${server.address().port}/`);
    assert.strictEqual(await page.text(), 'served');
    server.close();
    server.closeAllConnections();
  },
  async workers() {
    const { Worker } = require('node:worker_threads');
    const worker = new Worker('require("node:worker_threads").parentPort.postMessage(6 * 7)', { eval: true });
    const [answer] = await require('node:events').once(worker, 'message');
    assert.strictEqual(answer, 42);
  },
  wasm() {
    const empty = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
    assert.ok(new WebAssembly.Instance(new WebAssembly.Module(empty)));
  },
};

(async () => {
  for (const [name, check] of Object.entries(checks)) {
    await check();
    console.log(`${name} works`);
  }
  console.log('all works');
})();
