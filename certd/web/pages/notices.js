// SPDX-License-Identifier: Apache-2.0
//
// Notices: what was told to whom, the rules for that, webhooks, and who wants
// no more of what.

import { page, tabs } from '../lib/layout.js';
import { rules } from './notices/rules.js';
import { sent } from './notices/sent.js';
import { stopped } from './notices/stopped.js';
import { webhooks } from './notices/webhooks.js';

export const title = 'Notices';

/* Drawn when first looked at, and kept. */
function once(draw) {
	let kept = null;
	return () => {
		kept ||= draw();
		return kept;
	};
}

export async function render(ctx) {
	const [first, second, third, fourth] = await Promise.all([sent(ctx), rules(ctx), webhooks(ctx), stopped(ctx)]);
	return page({ title, lead: 'Who is told of what, by mail and by webhook, once for each occasion.' }, tabs(ctx, [
		{ name: 'sent', label: 'Sent and waiting', draw: once(first) },
		{ name: 'rules', label: 'Rules', draw: once(second) },
		{ name: 'webhooks', label: 'Webhooks', draw: once(third) },
		{ name: 'stopped', label: 'Stopped by recipients', draw: once(fourth) },
	]));
}
