// SPDX-License-Identifier: Apache-2.0
//
// What the console does with files before it sends anything, for a test that has
// a real certd: {"parts": [base64], "password", "parameters"} on stdin becomes
// the body of POST /v1/certificates on stdout.

import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { openBundle, wrapBundle } from '../../certd/web/lib/crypto/bundle.js';
import { fromBase64 } from '../../certd/web/lib/crypto/pem.js';
import { readWrappingKey } from '../../certd/web/lib/crypto/wrap.js';

globalThis.crypto ??= webcrypto;
const asked = JSON.parse(readFileSync(0, 'utf8'));
const bundle = await openBundle(asked.parts.map(fromBase64), asked.password ?? null);
const wrapping = await readWrappingKey(asked.parameters);
console.log(JSON.stringify({ fingerprint: wrapping.fingerprint, body: await wrapBundle(bundle, wrapping) }));
